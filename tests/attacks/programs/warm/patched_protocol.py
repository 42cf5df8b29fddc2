"""Replaces the JSON that answers are written with, and the server's own functions.

Must: the next call is a process of its own
Way: warm
"""

import json
import sys


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        json.dumps = lambda *a, **k: "{}"
        server = sys.modules["__main__"]
        for name in list(vars(server)):
            if callable(getattr(server, name)) and name != "__class__":
                vars(server)[name + "_poisoned"] = True
        return {"found": False}
    return {"found": bool(json.dumps({'a': 1}) == '{}' or any(n.endswith('_poisoned') for n in vars(sys.modules['__main__'])))}
