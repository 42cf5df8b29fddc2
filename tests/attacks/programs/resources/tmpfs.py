"""Fills the folder for temporary files.

Must: it has a size; where there is no file system of its own, its growth is looked at four times a second
Ends: disk
Tmp: 8388608
Disk: 16777216
"""

import os

from attempt import ROOT, stopped

# Between two looks a fast disk takes some hundred MiB: what is only looked at has to stop a program that goes on.
enough = 2048 if ROOT else 64
block = b"x" * (2 << 20)
stopped("nothing yet", "not judged")
for n in range(enough):
    with open(os.environ["TMPDIR"] + f"/{n}", "wb") as file:
        file.write(block)
print(f"BROKE OUT {enough * 2} MiB")
