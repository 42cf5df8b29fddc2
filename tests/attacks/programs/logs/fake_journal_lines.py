"""Writes lines that look like the journal's into its log.

Must: they stay the text of a message
Way: process
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
import json

fake = json.dumps({"type": "node.succeeded", "node": "other", "seq": 1})
print("x\n" + fake, file=sys.stderr)
say(json.dumps({"type": "log", "message": "x\n" + fake}) + "\n")
say(RESULT)
