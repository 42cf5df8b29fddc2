"""Gives the value that it was given. What holds a node back is played by a function (support/cluster_worker.py)."""

from typing import Any


def main(inputs: dict[str, Any], parameters: object, task: object, context: object) -> dict[str, Any]:
    if inputs.get("fail"):
        raise RuntimeError("as asked")
    return {"value": inputs.get("value", 1)}
