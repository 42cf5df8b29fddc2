"""Leaves a second name of one file as two results.

Must: a file with two names is no result
Leaves: yes
"""

import os

from attempt import stopped

open("result", "w").write("x")
os.link("result", "other")
stopped("left", "judged by the host")
