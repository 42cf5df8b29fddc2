"""Logs one message of a mebibyte.

Must: messages are cut
Way: process
Ends: none, protocol
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
import json

say(json.dumps({"type": "log", "message": "x" * 1000000}) + "\n")
say(RESULT)
