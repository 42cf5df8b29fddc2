"""Stops itself and its children, so that nobody ends.

Must: the time is the runner's, not the program's
Ends: timeout
Wall: 1.0
"""

import os
import signal

from attempt import stopped

stopped("nothing yet", "not judged")
if os.fork() == 0:
    os.kill(os.getpid(), signal.SIGSTOP)
os.kill(os.getpid(), signal.SIGSTOP)
