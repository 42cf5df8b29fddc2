"""Gives a key twice, for two readers.

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
say('{"type": "result", "type": "log", "outputs": {}}\n')
