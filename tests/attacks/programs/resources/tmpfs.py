"""Fills the folder for temporary files.

Must: it has a size
Ends: disk
Tmp: 8388608
Disk: 16777216
"""

import os

from attempt import stopped

stopped("nothing yet", "not judged")
for n in range(64):
    with open(os.environ["TMPDIR"] + f"/{n}", "wb") as file:
        file.write(b"x" * (2 << 20))
print("BROKE OUT 128 MiB")
