"""Leaves threads that wait for the next call.

Must: they end with the call
Way: warm
"""

import os
import threading


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        return {"found": False}
    try:
        tasks = len(os.listdir("/proc/self/task"))
    except PermissionError:  # level landlock shows no process at all
        tasks = 1
    return {"found": tasks > 1 or threading.active_count() > 1}
