"""Forks without end.

Must: processes are bounded
Ends: processes
Processes: 16
"""

import os
import time

from attempt import stopped

stopped("nothing yet", "not judged")
for _ in range(200):
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
