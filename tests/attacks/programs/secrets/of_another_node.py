"""Looks for secrets that were granted to another node.

Must: they are not there
Way: process
"""

import json
import os

found = [name for name in ("/tmp/.secrets", "/tmp/.secrets/TOKEN", "/run/secrets") if os.path.exists(name)]
found += [name for name in os.environ if "TOKEN" in name or "SECRET" in name]
print(json.dumps({"type": "result", "outputs": {"out": "BROKE OUT" if found else "nothing"}}))
