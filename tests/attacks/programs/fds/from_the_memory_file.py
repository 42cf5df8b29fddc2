"""Writes to its own program through the file the runner made it from.

Must: what the runner made is read-only
"""

import os

from attempt import append, attempt, inside

attempt("append", lambda: append(inside("/attack/attempt.py")))
attempt("chmod", lambda: (os.chmod(inside("/attack/attempt.py"), 0o777), append(inside("/attack/attempt.py"))))
attempt("replace", lambda: os.rename("x", inside("/attack/attempt.py")))
attempt("remove", lambda: os.unlink(inside("/attack/attempt.py")))
