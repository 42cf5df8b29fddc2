"""Forks twice into a session of its own and stays.

Must: nobody is left when the call returns
"""

import os
import time

from attempt import stopped

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.closerange(0, 64)
            time.sleep(300)
        os._exit(0)
stopped("left three", "judged by the host")
