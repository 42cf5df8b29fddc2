"""Reads the keys in the person's home.

Must: nothing outside the grants is readable
"""

from attempt import WORLD, attempt, read

import os

for name in WORLD["home"]:
    attempt(f"read {name}", lambda name=name: read(name))
    attempt(f"list above {name}", lambda name=name: os.listdir(os.path.dirname(name)))
