"""Replaces functions of the standard library for the calls to come.

Must: the next call is a process of its own
Way: warm
"""

import builtins
import os


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        os.getcwd = lambda: "poisoned"
        builtins.open = None
        return {"found": False}
    return {"found": bool(os.getcwd() == 'poisoned' or builtins.open is None)}
