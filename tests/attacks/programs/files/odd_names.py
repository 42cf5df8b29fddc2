"""Leaves names with control characters, escape sequences and broken UTF-8.

Must: such names are no results
Leaves: yes
"""

import os

from attempt import stopped

for name in (b"a\nb", b"\x1b[2J", b"\xff\xfe", b"-rf", b"..x", "\u202egnp.exe".encode(), b"x" * 255):
    open(name, "w").write("x")
stopped("left", "judged by the host")
