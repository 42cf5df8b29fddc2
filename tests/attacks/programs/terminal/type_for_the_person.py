"""Types commands into the person's shell.

Must: there is no terminal, and the request is refused in both forms
"""

import fcntl
import os

from attempt import attempt, call

attempt("open the terminal", lambda: os.open("/dev/tty", os.O_RDWR))
for fd in range(3):
    attempt("TIOCSTI", lambda fd=fd: fcntl.ioctl(fd, 0x5412, b"x"))
    attempt("TIOCSTI with high bits", lambda fd=fd: call(16, 29, fd, 0x7700005412, 0))
    attempt("TIOCLINUX", lambda fd=fd: call(16, 29, fd, 0x541C, 0))
    attempt("TIOCSCTTY", lambda fd=fd: fcntl.ioctl(fd, 0x540E, 1))
