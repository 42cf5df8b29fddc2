"""Crashes with its secret in the trace and leaves no core.

Must: errors are masked, and no core is written
Way: process
Grants: secret
Ends: exit, protocol
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


raise SystemExit(TOKEN)
