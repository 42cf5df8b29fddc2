"""Writes to the system, to the root and to files of the person.

Must: everything but its own folders is read-only or absent
"""

from attempt import WORLD, append, attempt, inside

import os

for path in ("/x", "/usr/x", "/etc/x", "/dev/x", "/bin/x", "/var/x", "/run/x", inside("/attack/x"), inside("/src/x")):
    attempt(f"write {path}", lambda path=path: append(path))
for path in (*WORLD["home"], *WORLD["runner"], WORLD["other run"]):
    attempt("append", lambda path=path: append(path))
    attempt("truncate", lambda path=path: os.truncate(path, 0))
    attempt("replace", lambda path=path: (open("mine", "w").close(), os.rename("mine", path)))
