"""Takes memory in files that nobody maps.

Must: it counts as memory or is bounded as a file
Ends: memory, disk
Memory: 67108864
Needs: group
"""

import os

from attempt import stopped

stopped("nothing yet", "not judged")
for n in range(64):
    fd = os.memfd_create(str(n))
    for _ in range(8):
        os.write(fd, b"x" * (1 << 20))
print("BROKE OUT half a gigabyte")
