"""Takes memory without end.

Must: memory is bounded
Ends: memory
Memory: 67108864
"""

from attempt import stopped

stopped("nothing yet", "not judged")
held = []
while True:
    held.append(bytearray(b"x" * (8 << 20)))
