"""Prints errors without end.

Must: their edges are kept, the rest is thrown away, and the time ends it
Ends: timeout
Wall: 1.0
"""

import sys

from attempt import stopped

stopped("nothing yet", "not judged")
while True:
    sys.stderr.write("x" * 65536)
