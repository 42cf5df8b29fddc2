"""Asks whether files outside are there, how large and how old.

Must: the path is not there
Open: landlock
"""

from attempt import WORLD, attempt

import os

for path in (WORLD["home"][0], WORLD["other run"]):
    attempt("stat", lambda path=path: os.stat(path))
    attempt("access", lambda path=path: os.access(path, os.F_OK))
attempt("change into", lambda: os.chdir(os.path.dirname(WORLD["home"][0])))
