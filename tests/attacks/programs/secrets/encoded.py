"""Says its secret in other encodings.

Must: every form is masked
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


for text in (TOKEN, base64.b64encode(TOKEN.encode()).decode(), base64.b64encode(b"u:" + TOKEN.encode()).decode(), TOKEN.encode().hex(), "".join(f"%{b:02x}" for b in TOKEN.encode()), repr(TOKEN)):
    log(text)
    print(text, file=sys.stderr)
say(RESULT)
