"""Changes its root to get behind the old one.

Must: refused
"""

import os

from attempt import attempt, call

attempt("chroot", lambda: os.chroot("."))
attempt("pivot_root", lambda: call(155, 41, b".", b"."))
