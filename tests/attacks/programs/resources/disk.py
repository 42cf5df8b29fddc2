"""Fills the disk with large files.

Must: what it writes is bounded
Ends: disk
Disk: 16777216
"""

from attempt import stopped

stopped("nothing yet", "not judged")
for n in range(64):
    with open(str(n), "wb") as file:
        file.write(b"x" * (4 << 20))
