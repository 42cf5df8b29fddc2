"""Prints one line without end.

Must: a line is bounded
Ends: output
Output: 67108864
Line: 65536
"""

import sys

from attempt import stopped

stopped("nothing yet", "not judged")
while True:
    sys.stdout.write("x" * 65536)
