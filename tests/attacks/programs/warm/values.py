"""Leaves values of one call, of another person perhaps, in its module.

Must: the next call is a process of its own
Way: warm
"""

KEPT = []


def main(inputs, parameters, task, context):
    if inputs["turn"] == "first":
        KEPT.append(inputs)
        return {"found": False}
    return {"found": bool(KEPT)}
