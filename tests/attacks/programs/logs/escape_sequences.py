"""Clears the person's screen, sets its title and types answers by escape sequences.

Must: no control character reaches a screen
Way: process
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
import json

text = "\x1b[2J\x1b]0;owned\x07\x1b[6n\x9b31m\r hidden \x08\u202e"
print(text, file=sys.stderr)
say(json.dumps({"type": "log", "message": text}) + "\n")
say(RESULT)
