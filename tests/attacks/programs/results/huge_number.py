"""Answers with a number of a million digits.

Must: refused
Way: process
Ends: protocol, output, validation
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
say('{"type": "result", "outputs": {"out": ' + "9" * 900000 + "}}\n")
