"""Writes one file without end.

Must: the size of a file is bounded
Ends: disk
File: 8388608
"""

from attempt import stopped

stopped("nothing yet", "not judged")
with open("file", "wb") as file:
    while True:
        file.write(b"x" * (1 << 20))
