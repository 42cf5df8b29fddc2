"""Leaves pipes and sockets on which a reader would wait for ever.

Must: the host does not block, and takes none of them
Leaves: yes
"""

import os

from attempt import stopped

os.mkfifo("result")
os.mkdir("out")
os.mkfifo("out/pipe")
stopped("left", "judged by the host")
