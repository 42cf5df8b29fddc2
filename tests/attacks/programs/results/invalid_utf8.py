"""Answers with bytes that are no text.

Must: refused
Way: process
Ends: protocol
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
say(b'{"type": "result", "outputs": {"out": "\xff\xfe"}}\n')
