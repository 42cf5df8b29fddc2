"""The request a node reads on standard input, and the bounds of its execution."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import Assignment
from polyphony_runner.sandbox import spec as sandbox
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonObject

DEFAULT_SECONDS = 600.0
CANCEL = b'{"type":"cancel","reason":"the run ends or the time is over"}\n'


@dataclass(frozen=True, slots=True)
class Times:
    """How long an attempt may take and when that is."""

    wall: float
    deadline: datetime

    @classmethod
    def of(cls, assignment: Assignment, limits: Limits, now: datetime) -> Times:
        """The nearer of the node's timeout and the run's deadline. NodeError ``timeout`` when that has passed."""
        wall = DEFAULT_SECONDS if limits.timeout_ms is None else limits.timeout_ms / 1000
        if assignment.deadline is not None:
            wall = min(wall, (assignment.deadline - now).total_seconds())
        if wall <= 0:
            raise NodeError("timeout", "PLY3510", "the deadline had passed before the node could start")
        return cls(wall, now + timedelta(seconds=wall))


def merged(node: Limits, declared: Limits) -> Limits:
    """The node's bounds, and the extension's where the node says nothing."""
    values = {
        name: getattr(node, name) if getattr(node, name) is not None else getattr(declared, name)
        for name in Limits.__slots__
    }
    return Limits(**values)


def bounds(limits: Limits, wall: float) -> sandbox.Limits:
    """The bounds in the sandbox's words."""
    default = sandbox.Limits()
    disk = limits.disk if limits.disk is not None else default.disk
    return sandbox.Limits(
        wall=wall,
        cpu=None if limits.cpu_ms is None else limits.cpu_ms / 1000,
        memory=limits.memory if limits.memory is not None else default.memory,
        processes=limits.processes if limits.processes is not None else default.processes,
        file_size=default.file_size if limits.disk is None else limits.disk,
        disk=disk,
        stdout=min(limits.output, default.stdout) if limits.output is not None else default.stdout,
    )


def request_document(
    assignment: Assignment,
    *,
    deadline: datetime,
    inputs: JsonObject,
    parameters: JsonObject,
    secrets: dict[str, str],
) -> JsonObject:
    """The request, protocol version 1."""
    return {
        "protocol": 1,
        "run": assignment.run,
        "node": assignment.node,
        "attempt": assignment.attempt,
        "deadline": deadline.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "inputs": inputs,
        "parameters": parameters,
        "task": assignment.task,
        "secrets": secrets,
    }


def request_line(document: JsonObject) -> bytes:
    """The one line of the request, with its end."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"  # file names of the host need not be UTF-8
