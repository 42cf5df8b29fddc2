"""Leaves links to the person's files where results are expected.

Must: the host follows no link
Leaves: yes
"""

import os

from attempt import WORLD, stopped

os.symlink(WORLD["home"][0], "result")
os.symlink("../host/home/.ssh/id_ed25519", "relative")
os.mkdir("out")
os.symlink("/", "out/root")
os.symlink("/proc/self/environ", "environ")
stopped("left", "judged by the host")
