"""What travels between workers as JSON: an assignment, what its node says, how it ended.

Values over 16 KiB travel by digest: they lie in the shared artifact store (``ValueStore.outside``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.conductor.values import loaded, values_in
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Success
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonValue, NodePath, RunId

_NO_JSON = "the outputs hold a number that JSON cannot say (NaN or infinite)"


def encode_assignment(assignment: Assignment, timeout: float | None, values: ValueStore) -> str:
    """One attempt as text, with its timeout in seconds."""
    given: dict[str, JsonValue] = {
        "inputs": dict(assignment.inputs),
        "parameters": dict(assignment.parameters),
        "task": dict(assignment.task),
    }
    document = {
        "run": assignment.run,
        "node": assignment.node,
        "attempt": assignment.attempt,
        "package": assignment.package,
        "given": dict(values.outside(given)),
        "grants": {key: list(items) for key, items in assignment.grants.items()},
        "limits": asdict(assignment.limits),
        "deadline": None if assignment.deadline is None else assignment.deadline.isoformat(),
        "work": str(assignment.work),
        "places": {text: str(place) for text, place in assignment.places.items()},
        "allow_unsandboxed": assignment.allow_unsandboxed,
        "timeout": timeout,
    }
    return json.dumps(document, separators=(",", ":"))


def decode_assignment(text: str, values: ValueStore) -> tuple[Assignment, float | None]:
    """The attempt and its timeout."""
    document: dict[str, Any] = json.loads(text)
    given = {
        name: loaded(values_in(document["given"], name), values) for name in ("inputs", "parameters", "task")
    }
    deadline = document["deadline"]
    assignment = Assignment(
        run=RunId(document["run"]),
        node=NodePath(document["node"]),
        attempt=document["attempt"],
        package=document["package"],
        inputs=given["inputs"],
        parameters=given["parameters"],
        task=given["task"],
        grants={key: tuple(items) for key, items in document["grants"].items()},
        limits=Limits(**document["limits"]),
        deadline=None if deadline is None else datetime.fromisoformat(deadline),
        work=Path(document["work"]),
        places={text: Path(place) for text, place in document["places"].items()},
        allow_unsandboxed=document["allow_unsandboxed"],
    )
    return assignment, document["timeout"]


def encode_outcome(outcome: Outcome, log: Mapping[str, JsonValue] | None, values: ValueStore) -> str:
    """How an attempt ended, with the mark of its sealed log."""
    document: dict[str, JsonValue]
    if isinstance(outcome, Success):
        try:
            outputs = dict(values.outside({"outputs": dict(outcome.outputs)}))
        except ValueError:
            return encode_outcome(Failure("validation", _NO_JSON), log, values)
        document = {"outputs": outputs, "artifacts": [dict(one) for one in outcome.artifacts]}
    else:
        document = {
            "kind": outcome.kind,
            "message": outcome.message,
            "trace": outcome.trace,
            "retryable": outcome.retryable,
            "details": dict(outcome.details),
        }
    return json.dumps(
        {**document, "seconds": outcome.seconds, "log": None if log is None else dict(log)},
        separators=(",", ":"),
    )


def decode_outcome(text: str, values: ValueStore) -> tuple[Outcome, dict[str, JsonValue] | None]:
    """How an attempt ended, and the mark of its log."""
    document: dict[str, Any] = json.loads(text)
    log = document["log"]
    if "outputs" in document:
        outputs = loaded(values_in(document["outputs"], "outputs"), values)
        return Success(outputs, tuple(document["artifacts"]), document["seconds"]), log
    failure = Failure(
        document["kind"],
        document["message"],
        document["trace"],
        document["retryable"],
        document["seconds"],
        document["details"],
    )
    return failure, log


def encode_said(event: NodeEvent) -> str:
    """Something a node said."""
    return json.dumps({"type": event.type, "data": dict(event.data)}, separators=(",", ":"))


def decode_said(text: str) -> NodeEvent:
    """Something a node said."""
    document: dict[str, Any] = json.loads(text)
    return NodeEvent(document["type"], document["data"])
