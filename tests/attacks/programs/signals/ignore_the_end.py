"""Ignores every signal and sleeps past its time.

Must: it is killed
Ends: timeout
Wall: 1.0
"""

import signal
import time

from attempt import stopped

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
stopped("nothing yet", "not judged")
time.sleep(300)
