"""Fails with its secret in the message.

Must: errors are masked
Way: process
Grants: secret
Ends: exit
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


say(json.dumps({"type": "error", "kind": "exit", "message": TOKEN}) + "\n")
