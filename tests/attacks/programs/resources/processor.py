"""Computes without end.

Must: processor time is bounded
Ends: cpu
Cpu: 1.0
"""

from attempt import stopped

stopped("nothing yet", "not judged")
while True:
    pass
