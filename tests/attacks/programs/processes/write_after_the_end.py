"""Goes on writing its result after it has ended.

Must: a result is read when the tree is dead
Leaves: steady
"""

import os
import time

from attempt import stopped

if os.fork() == 0:
    os.setsid()
    while True:
        with open("result", "w") as file:
            file.write(str(time.time_ns()))
time.sleep(0.05)
stopped("left a writer", "judged by the host")
