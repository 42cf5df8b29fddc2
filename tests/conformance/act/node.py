"""Gives the value that it was given. What holds a node back is played by a function (support/cluster_worker.py)."""


def main(inputs, parameters, task, context):
    if inputs.get("fail"):
        raise RuntimeError("as asked")
    return {"value": inputs.get("value", 1)}
