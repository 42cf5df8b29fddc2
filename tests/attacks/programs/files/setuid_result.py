"""Leaves a program that runs as somebody else.

Must: no set-id bit comes out of the private folder
Leaves: yes
"""

import os
import shutil

from attempt import stopped

shutil.copyfile("/bin/sh", "result")
try:
    os.chmod("result", 0o6777)
except PermissionError:
    print("stopped chmod: EPERM")
stopped("left", "judged by the host")
