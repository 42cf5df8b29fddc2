"""Opens the descriptors of pid 1 and of its parent through /proc.

Must: refused or its own
"""

import os

from attempt import WORLD, attempt

for pid in ({1, os.getppid()} - {os.getpid(), 0}) | {WORLD["victim"]}:
    for fd in range(3, 12):
        attempt("descriptor", lambda pid=pid, fd=fd: os.open(f"/proc/{pid}/fd/{fd}", os.O_RDONLY | os.O_NONBLOCK))
    attempt("memory", lambda pid=pid: WORLD["victim"] == pid and os.open(f"/proc/{pid}/mem", os.O_RDWR))
