"""Kills the first process of its own box, to be left without an owner.

Must: everything ends with it
Ends: none, crash, exit, unavailable
"""

import os
import signal
import time

from attempt import stopped

if os.fork() == 0:
    os.setsid()
    time.sleep(300)
stopped("nothing yet", "not judged")
for pid in (1, os.getppid()):
    try:
        os.kill(pid, signal.SIGKILL)
    except OSError as error:
        stopped("kill", error.strerror)
