"""Names a link to a file of the host as its artifact.

Must: links are not followed
Way: process
Ends: protocol, validation, exit
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
os.symlink("/etc/passwd", "link")
say('{"type": "artifact", "name": "x", "path": "link"}\n' + RESULT)
