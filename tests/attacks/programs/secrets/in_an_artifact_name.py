"""Puts its secret into the name of an artifact.

Must: masked or refused
Way: process
Grants: secret
Ends: none, validation, protocol
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


open("file", "w").write("a")
say(json.dumps({"type": "artifact", "name": TOKEN, "path": "file"}) + "\n")
say(RESULT)
