"""Looks for descriptors that were left open for it.

Must: three pipes, and nothing else
"""

import os
import stat

from attempt import attempt


def is_open(fd):
    os.fstat(fd)


for fd in range(3, 256):
    try:
        status = os.fstat(fd)
    except OSError:
        continue
    attempt(f"descriptor {fd} {stat.filemode(status.st_mode)}", lambda fd=fd: is_open(fd))
for fd in range(3):
    attempt("a terminal or a folder", lambda fd=fd: not stat.S_ISFIFO(os.fstat(fd).st_mode) and not stat.S_ISREG(os.fstat(fd).st_mode))
