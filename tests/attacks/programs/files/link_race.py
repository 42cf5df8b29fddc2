"""Exchanges a result for a link, over and over, until it is killed.

Must: the host reads when nobody is left to exchange anything
Leaves: yes
"""

import os
import time

from attempt import WORLD, stopped

open("file", "w").write("x")
if os.fork() == 0:
    os.setsid()
    while True:
        os.symlink(WORLD["home"][0], "swap")
        os.rename("swap", "result")
        os.link("file", "swap")
        os.rename("swap", "result")
time.sleep(0.05)
stopped("left", "judged by the host")
