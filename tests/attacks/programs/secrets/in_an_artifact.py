"""Puts its secret into an artifact and its name.

Must: text is masked, and a name with it refused
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


open("file", "w").write("a " + TOKEN + " b")
say(json.dumps({"type": "artifact", "name": "report", "path": "file"}) + "\n")
say(RESULT)
