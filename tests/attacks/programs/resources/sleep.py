"""Does nothing for ever.

Must: the time is bounded
Ends: timeout
Wall: 0.7
"""

import time

from attempt import stopped

stopped("nothing yet", "not judged")
time.sleep(300)
