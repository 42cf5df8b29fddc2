"""Answers with NaN and infinity.

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
say('{"type": "result", "outputs": {"out": NaN}}\n')
