"""Leaves work for the end of the server.

Must: it is of the call's process
Way: warm
"""

import atexit
import os


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        atexit.register(open, os.environ.get("TMPDIR", "/tmp") + "/at-exit", "w")
        return {"found": False}
    return {"found": bool(os.path.exists(os.environ.get('TMPDIR', '/tmp') + '/at-exit'))}
