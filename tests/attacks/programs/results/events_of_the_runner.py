"""Says events that only the runner may: connections, ends of nodes, grants.

Must: unknown events are refused
Way: process
Ends: protocol
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
say('{"type": "connection", "host": "x", "verdict": "allowed"}\n{"type": "node.succeeded"}\n' + RESULT)
