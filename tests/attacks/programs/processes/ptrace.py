"""Attaches to its parent, to pid 1 and to a process of the host; reads and writes their memory.

Must: debugging is refused
"""

import os

from attempt import WORLD, attempt, call

for pid in (os.getppid(), 1, WORLD["victim"]):
    attempt("attach", lambda pid=pid: call(101, 117, 16, pid))
    attempt("seize", lambda pid=pid: call(101, 117, 0x4206, pid))
    attempt("read", lambda pid=pid: call(310, 270, pid, 0, 0, 0, 0, 0))
    attempt("write", lambda pid=pid: call(311, 271, pid, 0, 0, 0, 0, 0))
    attempt("take a descriptor", lambda pid=pid: call(438, 438, os.pidfd_open(pid), 0, 0))
attempt("be traced", lambda: call(101, 117, 0))
