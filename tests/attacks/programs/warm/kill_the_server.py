"""Kills the server that would run the next call.

Must: the next call gets another
Way: warm
"""

import os
import time


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        os.kill(os.getppid(), 9)
        time.sleep(60)
        return {"found": False}
    return {"found": bool(False)}
