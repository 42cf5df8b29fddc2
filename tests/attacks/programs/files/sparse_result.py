"""Leaves a file of a terabyte that takes no space.

Must: the file size is bounded
Leaves: yes
Ends: disk, none
"""

import os

from attempt import attempt, stopped

attempt("a terabyte", lambda: os.truncate(os.open("result", os.O_CREAT | os.O_RDWR), 1 << 40))
stopped("left", "judged by the host")
