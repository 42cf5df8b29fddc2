"""Reads the machine's passwords and privileges.

Must: the file is not there or not readable
"""

from attempt import attempt, read

attempt("read shadow", lambda: read("/etc/shadow"))
attempt("read gshadow", lambda: read("/etc/gshadow"))
attempt("list sudoers", lambda: read("/etc/sudoers"))
