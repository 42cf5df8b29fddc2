"""Gives an artifact a name with control characters and folders.

Must: refused
Way: process
Ends: protocol, validation
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
open("file", "w").write("x")
say('{"type": "artifact", "name": "../\\u001b[2J\\n", "path": "file"}\n' + RESULT)
