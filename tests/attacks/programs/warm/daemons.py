"""Leaves a process that watches the next call.

Must: everything but the server is killed between two calls
Way: warm
"""

import os
import time


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        if os.fork() == 0:
            os.setsid()
            os.closerange(0, 64)
            time.sleep(300)
        return {"found": False}
    try:
        others = [pid for pid in os.listdir("/proc") if pid.isdigit()]
    except PermissionError:  # level landlock shows no process at all
        others = []
    return {"found": bool({int(pid) for pid in others} - {1, os.getpid(), os.getppid()})}
