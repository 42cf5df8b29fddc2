"""The seam between the Conductor and whatever executes a node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonObject, JsonValue, NodePath, RunId


@dataclass(frozen=True, slots=True)
class Assignment:
    """One attempt of one node, everything evaluated: the precise directive the node gets.

    ``package`` is the dependency string under which ``PackageSource`` finds the extension. ``grants`` is
    declared ∩ node ∩ ceiling after evaluation, by key (docs/melody.md), paths not yet resolved. ``work`` is the
    host folder that relative paths are relative to. ``allow_unsandboxed`` is the person's flag for this run.
    """

    run: RunId
    node: NodePath
    attempt: int
    package: str
    inputs: JsonObject
    parameters: JsonObject
    task: JsonObject
    grants: Mapping[str, tuple[JsonValue, ...]]
    limits: Limits
    deadline: datetime | None
    work: Path
    allow_unsandboxed: bool = False


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """Something a node said while running; ``data`` as in docs/runtimes.md (logs, progress, usage) and docs/journal.md (connection)."""

    type: Literal["log", "progress", "usage", "connection"]
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Success:
    """The node's outputs, checked against the declared ports. Files are artifact references."""

    outputs: JsonObject
    artifacts: tuple[JsonObject, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Failure:
    """A typed error (kinds of docs/melody.md)."""

    kind: str
    message: str
    trace: str | None = None
    retryable: bool = True
    seconds: float = 0.0
    details: JsonObject = field(default_factory=dict)


Outcome = Success | Failure
Sink = Callable[[NodeEvent], None]


class Runtime(Protocol):
    """Executes one assignment.

    Contract: never raises for what the node does (that is a ``Failure``); when the surrounding asyncio task is
    cancelled the whole process tree is dead before ``CancelledError`` leaves; ``sink`` is called in the event
    loop's thread, in order, never after the call returned.
    """

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Run to the end and say how it ended."""
        ...

    async def close(self) -> None:
        """End everything that is kept warm."""
        ...
