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
    declared ∩ node ∩ ceiling after evaluation, by key (docs/melody.md), paths as written; ``places`` are the same
    paths as they were resolved when they were compared with the ceiling: where they lead to later does not count.
    ``work`` is the host folder that relative paths are relative to. ``allow_unsandboxed`` is the person's flag for
    this run.
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
    places: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """Something a node said while running; ``data`` as in docs/runtimes.md (logs, progress, usage) and docs/journal.md (connection)."""

    type: Literal["log", "progress", "usage", "connection"]
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Success:
    """The node's outputs; files are artifact references. ``seconds`` 0 means: not measured.

    The Conductor checks them against the declared ports whatever the runtime did before.
    """

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
    """Executes assignments, any number at the same time, each apart from the others.

    Contract, for every implementation (``tests/runner/runtimes/test_runtime_contract.py``):

    - ``run`` never raises for what a node does, or for a package it does not have: that is a ``Failure`` of one of
      the kinds of docs/melody.md, and what the node itself said of it (kind, message, retryable) arrives as said.
    - The node gets ``inputs``, ``parameters`` and ``task`` as they stand in the assignment; its answer arrives whole
      up to the bounds of docs/runtimes.md. An answer that breaks its ports is either a ``Failure`` of kind
      ``validation`` already or a ``Success`` the Conductor will refuse: a runtime repairs nothing.
    - The nearer of ``limits.timeout_ms`` and ``deadline`` ends an attempt as a ``Failure`` of kind ``timeout``; a
      deadline that has passed does so before the node starts.
    - When the surrounding asyncio task is cancelled, everything the node started has ended before
      ``CancelledError`` leaves, and the runtime is as good as before.
    - ``sink`` is called in the event loop's thread, in the order in which the node spoke, while it still runs, and
      never after ``run`` is over, however it ended.
    """

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Run one attempt to its end and say how it ended."""
        ...

    async def close(self) -> None:
        """End everything that is kept warm; once more does nothing. No attempt may be under way."""
        ...
