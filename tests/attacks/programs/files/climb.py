"""Climbs above its root by '..', descriptors and links of /proc.

Must: the root is its own, and what is above it is not shown
"""

from attempt import WORLD, attempt, read

import os

canary = WORLD["home"][0]
above = "../" * 40
attempt("dots", lambda: read(above + canary[1:]))
attempt("a folder's descriptor", lambda: os.open(above + canary[1:], 0, dir_fd=os.open(".", os.O_PATH)))
attempt("the root of a process", lambda: read("/proc/self/root" + canary))
attempt("the folder of a process", lambda: read("/proc/self/cwd/" + above + canary[1:]))
attempt("a thread's root", lambda: read("/proc/thread-self/root" + canary))
