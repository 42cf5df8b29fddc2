"""Leaves a tree too deep to walk by recursion, with folders nobody may open.

Must: the host walks, bounds and removes it
Leaves: yes
"""

import os

from attempt import stopped

top = os.getcwd()
for _ in range(3000):
    os.mkdir("d")
    os.chdir("d")
os.chdir(top)
os.mkdir("closed", 0)
stopped("left", "judged by the host")
