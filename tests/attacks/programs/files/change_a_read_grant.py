"""Changes what it may only read, in every way there is.

Must: the grant is read-only for contents, names, modes, times, owners and attributes
"""

from attempt import attempt, append, inside

import os

note = inside("/src/note")
attempt("append", lambda: append(note))
attempt("truncate", lambda: os.truncate(note, 0))
attempt("remove", lambda: os.unlink(note))
attempt("rename", lambda: os.rename(note, note + "2"))
attempt("link into the work folder", lambda: os.link(note, "linked"))
attempt("link beside", lambda: os.link(note, note + "3"))
attempt("chmod", lambda: os.chmod(note, 0o777))
attempt("chown", lambda: os.chown(note, os.getuid() + 1, -1))
attempt("utime", lambda: os.utime(note, (0, 0)))
attempt("setxattr", lambda: os.setxattr(note, "user.x", b"x"))
attempt("truncate while opening", lambda: os.open(note, os.O_RDONLY | os.O_TRUNC))
attempt("make a folder", lambda: os.mkdir(inside("/src/made")))
attempt("reopen for writing", lambda: os.open(f"/proc/self/fd/{os.open(note, os.O_RDONLY)}", os.O_WRONLY))
