"""Makes empty files without end.

Must: the number of files is bounded
Ends: disk
Entries: 2000
"""

from attempt import stopped

stopped("nothing yet", "not judged")
for n in range(20000):
    open(str(n), "w").close()
