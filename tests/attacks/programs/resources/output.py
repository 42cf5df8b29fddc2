"""Prints without end.

Must: output is bounded
Ends: output
Output: 262144
"""

from attempt import stopped

stopped("nothing yet", "not judged")
while True:
    print("x" * 4096)
