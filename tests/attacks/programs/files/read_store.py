"""Reads the store, the cache and the signing keys of the runner.

Must: nothing outside the grants is readable
"""

from attempt import WORLD, attempt, read

import os

for path in WORLD["runner"]:
    attempt(f"read {path}", lambda path=path: read(path))
    attempt(f"read {path} through a link", lambda path=path: (os.symlink(path, "link"), read("link")))
    attempt(f"remove {path}", lambda path=path: os.unlink(path))
