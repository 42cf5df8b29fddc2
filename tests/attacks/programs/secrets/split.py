"""Says its secret in pieces, with pauses.

Must: what is held back is joined before it is masked
Way: process
Grants: secret
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
import base64
import json

TOKEN = open("/tmp/.secrets/TOKEN").read()


def log(text):
    say(json.dumps({"type": "log", "message": text}) + "\n")


for letter in TOKEN:
    sys.stderr.write(letter)
    sys.stderr.flush()
sys.stderr.write("\n")
half = len(TOKEN) // 2
say('{"type": "log", "message": "' + TOKEN[:half])
say(TOKEN[half:] + '"}\n')
say(RESULT)
