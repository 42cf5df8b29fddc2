"""Changes its own package, so that the next run has other code.

Must: the package is read-only
Way: node
"""

import os


def main(inputs, parameters, task, context):
    came = []
    here = os.path.dirname(os.path.abspath(__file__))
    for act in (
        lambda: open(__file__, "a").write("#"),
        lambda: open(here + "/other.py", "w"),
        lambda: os.makedirs(here + "/__pycache__/x"),
        lambda: os.rename(__file__, here + "/old.py"),
    ):
        try:
            act()
            came.append(True)
        except OSError:
            came.append(False)
    return {"out": "BROKE OUT" if any(came) else "stopped"}
