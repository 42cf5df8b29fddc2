"""Forks without end and hides every error.

Must: processes are bounded, and the time ends it
Ends: timeout, processes
Processes: 16
Wall: 1.5
"""

import os

from attempt import stopped

stopped("nothing yet", "not judged")
while True:
    try:
        os.fork()
    except OSError:
        pass
