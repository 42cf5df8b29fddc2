"""Names files of the host as its artifacts.

Must: an artifact is a regular file in the work folder
Way: process
Ends: protocol, validation, exit
"""

import os
import sys


def say(data):
    sys.stdout.flush()
    os.write(1, data if isinstance(data, bytes) else data.encode())


RESULT = '{"type": "result", "outputs": {"out": "forged"}}\n'
for path in ("/etc/passwd", "../../home", "/proc/1/environ", ".."):
    say('{"type": "artifact", "name": "x", "path": "%s"}\n' % path)
say(RESULT)
