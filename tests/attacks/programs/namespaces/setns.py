"""Enters the namespaces of pid 1 and of the host.

Must: refused
"""

import os

from attempt import WORLD, attempt, call

for pid in (1, os.getppid(), WORLD["victim"]):
    for name in ("user", "mnt", "net", "pid"):
        attempt(f"{name} of another", lambda pid=pid, name=name: call(308, 268, os.open(f"/proc/{pid}/ns/{name}", 0), 0))
    attempt("by process", lambda pid=pid: call(308, 268, os.pidfd_open(pid), 0x20000))
attempt("its own", lambda: call(308, 268, os.open("/proc/self/ns/mnt", 0) if os.path.exists("/proc/self/ns/mnt") else 0, 0))
