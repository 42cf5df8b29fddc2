"""Leaves files for the next call.

Must: a worker with litter is ended
Way: warm
"""

import os


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        for folder in (os.environ.get("TMPDIR", "/tmp"), "."):
            open(folder + "/litter", "w").close()
        return {"found": False}
    return {"found": bool(any(os.path.exists(f + '/litter') for f in (os.environ.get('TMPDIR', '/tmp'), '.', '..', '../call-1')))}
