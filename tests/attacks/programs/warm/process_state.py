"""Changes folder, mask, environment and priority for the next call.

Must: they are of the call's process
Way: warm
"""

import os


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        os.chdir("/")
        os.umask(0)
        os.environ["POISON"] = "1"
        return {"found": False}
    return {"found": bool(os.getcwd() == '/' or 'POISON' in os.environ or os.umask(0o22) == 0)}
