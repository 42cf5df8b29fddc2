"""Says events without end.

Must: events are bounded
Way: process
Ends: output, protocol, none
Lines: 12000
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
for _ in range(30000):
    say('{"type": "log", "message": "x"}\n')
say(RESULT)
