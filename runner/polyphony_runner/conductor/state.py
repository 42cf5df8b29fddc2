"""The state of a run: what the journal means. Advanced in place by ``evolve``, read by ``decide``.

Replaying the same events gives an equal state, so the in-place change is not visible from outside.

Invariants:
- ``agenda`` holds at most one entry for each path, in the order in which things came to pass; an entry is there
  exactly as long as the event it asks for is missing.
- ``ready``, ``lookups`` and ``running`` hold extension nodes alone; core nodes and scopes take no place. ``lookups``
  are the pure ones that are ready, where results are cached.
- a node's phase is final exactly when its one ``node.succeeded|failed|skipped|dead|cancelled`` is in the journal.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from polyphony_runner.conductor.breakpoints import Breakpoints
from polyphony_runner.conductor.ledger import Amounts, Ledger, Usage
from polyphony_runner.conductor.mail import Mail, Wait
from polyphony_runner.conductor.paths import without_rounds
from polyphony_runner.conductor.plan import GraphPlan, Plans
from polyphony_runner.conductor.values import Value, ValueReader
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.graph.linking import SELF
from polyphony_schemas.graph.model import CompiledMelody, GraphNode, Limits, Loop
from polyphony_schemas.values import JsonObject, JsonValue

RunStatus = Literal["running", "waiting", "halted", "succeeded", "failed", "cancelled"]
NodeStatus = Literal["waiting", "running", "succeeded", "failed", "skipped", "dead", "cancelled"]
Phase = Literal[
    "waiting",
    "ready",
    "running",
    "retrying",
    "parked",
    "handled",
    "awaiting",
    "halted",
    "succeeded",
    "failed",
    "skipped",
    "dead",
    "cancelled",
]
HandlerKind = Literal["fallback", "compensate", "undo"]
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "skipped", "dead", "cancelled"})
# What the agenda asks for. ``reject`` fails a node whose incoming ``when`` could not be evaluated, ``adopt`` looks at
# how a node's fallback ended, ``undone`` at how an undo did, ``deliver`` ends a wait with what came.
NextStep = Literal[
    "begin", "perform", "open", "reject", "dead", "cancel", "loop", "end", "adopt", "undone", "deliver"
]
_FINAL_STATUSES: tuple[RunStatus, ...] = ("succeeded", "failed", "cancelled")
WAITING, LIVE, DEAD = 0, 1, 2

Error: TypeAlias = JsonObject


@dataclass(slots=True)
class LoopState:
    """A scope that has opened: which iterations run, what they brought, and whether more may start.

    ``holding``: it gave its outputs while iterations run on unused, and its own round waits for them. Of a sub-melody: ``permissions``
    are what its node names, ``ceiling`` its own ceiling, ``ending`` why it ends early.
    """

    inputs: Mapping[str, Value]
    parallel: int = 1
    max: int = 1
    items: Value = None
    total: int = 0
    state: Mapping[str, Value] = field(default_factory=dict)
    next: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    results: list[Mapping[str, Value] | None] = field(default_factory=list)
    complete: bool = False
    failure: Error | None = None
    due_ms: int | None = None
    closed: str | None = None
    holding: bool = False
    usage: Usage = field(default_factory=Usage)
    ledger: Ledger = field(default_factory=Ledger)
    frames: dict[int, Frame] = field(default_factory=dict)
    permissions: Mapping[str, Value] = field(default_factory=dict)
    ceiling: Mapping[str, Value] = field(default_factory=dict)
    ending: Ending | None = None
    last: Frame | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Duty:
    """Why an instance of a handler exists: what it does for which node, and after which of its attempts.

    ``inputs`` are those that a fallback takes over.
    """

    kind: HandlerKind
    of: Node
    attempt: int
    inputs: Mapping[str, Value] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Node:
    """One instance of a node. ``retries`` counts what the retry policy used up, ``attempt`` every start.

    ``duty`` is there for an instance of a handler. Of the node that it guards, ``fallbacks`` counts those that were
    tried, ``reserve`` is what its attempt may still spend of the budgets around it, ``claimed`` what it reported;
    ``handler`` is the one that is at work, ``by`` the one whose outputs the node has. ``sent`` is the attempt in
    which a ``core/signal`` sent its signal; ``added`` are the items that signals brought to a ``for_each``, and
    ``completed`` says that one completed it before it opened.
    """

    path: str
    spec: GraphNode
    frame: Frame
    phase: Phase = "waiting"
    waiting: int = 0
    dead: int = 0
    live: list[int] = field(default_factory=list)
    attempt: int = 0
    retries: int = 0
    directive: Mapping[str, Mapping[str, Value]] = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    error: Error | None = None
    tolerated: bool = False
    cancelling: str | None = None
    first_started_ms: int | None = None
    paused_before_ms: int = 0
    started_ms: int | None = None
    busy_ms: int = 0
    loop: LoopState | None = None
    duty: Duty | None = None
    fallbacks: int = 0
    handler: Node | None = None
    reserve: Amounts | None = None
    claimed: Amounts = field(default_factory=dict)
    overspent: bool = False
    by: str | None = None
    cached: bool = False
    wait: Wait | None = None
    sent: int = 0
    added: list[Value] = field(default_factory=list)
    completed: bool = False

    @property
    def final(self) -> bool:
        """Whether the node has its last status."""
        return self.phase in FINAL

    @property
    def status(self) -> NodeStatus:
        """The status that people see."""
        match self.phase:
            case "ready" | "retrying" | "parked" | "halted" | "awaiting":
                return "waiting"
            case "handled":
                return "running"
            case _:
                return self.phase

    @property
    def header(self) -> Loop:
        """The header of a scope."""
        if self.spec.loop is None:
            raise LookupError(f"{self.path} is no scope")
        return self.spec.loop

    @property
    def scope(self) -> LoopState:
        """The state of a scope that has opened."""
        if self.loop is None:
            raise LookupError(f"{self.path} has not opened")
        return self.loop

    @property
    def is_scope(self) -> bool:
        """Whether it has nodes inside."""
        return self.spec.body is not None or self.spec.kind == "melody"

    @property
    def once(self) -> bool:
        """Whether it is a scope without rounds: its one frame has its own path."""
        return self.spec.kind in ("block", "melody")

    def facts(self) -> tuple[object, ...]:
        """Everything that replay must give again."""
        return (
            self.path,
            self.phase,
            self.waiting,
            self.dead,
            tuple(self.live),
            self.attempt,
            self.retries,
            self.directive,
            self.outputs,
            self.error,
            self.tolerated,
            self.cancelling,
            self.started_ms,
            self.busy_ms,
            None if self.duty is None else (self.duty.kind, self.duty.of.path, self.duty.attempt),
            self.fallbacks,
            None if self.handler is None else self.handler.path,
            self.by,
            None if self.reserve is None else dict(self.reserve),
            dict(self.claimed),
            self.overspent,
            self.cached,
            self.wait,
            self.sent,
            list(self.added),
            self.completed,
        )


@dataclass(slots=True, eq=False)
class Frame:
    """One round of a scope, or the run itself (path ``""``): its own nodes, connections and variables."""

    path: str
    plan: GraphPlan
    owner: Node | None
    index: int
    inputs: Mapping[str, Value]
    variables: Mapping[str, Value] = field(default_factory=dict)
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: bytearray = field(default_factory=bytearray)
    open: int = 0
    failure: Error | None = None
    cancelling: str | None = None
    limits: Limits = field(default_factory=Limits)
    depth: int = 0


@dataclass(slots=True)
class Ending:
    """Why the run ends before everything in it is done."""

    status: RunStatus
    reason: str
    message: str = ""


@dataclass(slots=True)
class Lock:
    """A lock of this run: the path of its holder, and who waits, the first first."""

    holder: str
    queue: deque[str] = field(default_factory=deque)


@dataclass(slots=True)
class Undoing:
    """What is taken back when the run does not succeed.

    ``stack`` holds completed instances that name an undo, in the order of their completion, until their undo has
    started. ``begun`` is true from the first undo on; ``refused`` when somebody asked for none; ``active`` is the
    handler at work.
    """

    stack: list[Node] = field(default_factory=list)
    active: Node | None = None
    begun: bool = False
    refused: bool = False
    done: int = 0
    failed: list[str] = field(default_factory=list)

    def facts(self) -> tuple[object, ...]:
        """Everything that replay must give again."""
        left = [(node.path, node.attempt) for node in self.stack]
        return left, self.begun, self.refused, self.done, list(self.failed)


@dataclass(slots=True)
class RunState:
    """Everything the journal of one run means."""

    melody: CompiledMelody
    reader: ValueReader
    plans: Plans = field(default_factory=Plans)
    next_seq: int = 0
    now_ms: int = 0
    status: RunStatus = "running"
    created: JsonObject = field(default_factory=dict)
    caching: bool = False
    pins: JsonObject = field(default_factory=dict)
    breakpoints: Breakpoints = field(default_factory=Breakpoints)
    inputs: Mapping[str, Value] = field(default_factory=dict)
    root: Frame | None = None
    nodes: dict[str, Node] = field(default_factory=dict)
    frames: dict[str, Frame] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    agenda: dict[str, NextStep] = field(default_factory=dict)
    ready: dict[str, None] = field(default_factory=dict)
    lookups: dict[str, None] = field(default_factory=dict)
    running: dict[str, int] = field(default_factory=dict)
    interrupts: dict[str, str] = field(default_factory=dict)
    rejections: dict[str, str] = field(default_factory=dict)
    timers: list[tuple[int, str, str]] = field(default_factory=list)
    awaiting: dict[str, None] = field(default_factory=dict)
    mail: Mail = field(default_factory=Mail)
    ending: Ending | None = None
    undoing: Undoing = field(default_factory=Undoing)
    locks: dict[str, Lock] = field(default_factory=dict)
    shared: dict[str, str] = field(default_factory=dict)
    wanted: dict[str, str] = field(default_factory=dict)
    halting: str | None = None
    halt: JsonObject = field(default_factory=dict)
    outputs: Mapping[str, Value] = field(default_factory=dict)
    error: Error | None = None
    usage: Usage = field(default_factory=Usage)
    ledger: Ledger = field(default_factory=Ledger)
    in_line: dict[str, None] = field(default_factory=dict)
    started_ms: int | None = None
    ended_ms: int | None = None
    paused_ms: int = 0

    @property
    def finished(self) -> bool:
        """Whether the run has its last event."""
        return self.status in ("succeeded", "failed", "cancelled")

    @property
    def idle(self) -> bool:
        """Whether nothing can go on without a person, a signal or time."""
        busy = self.running or self.ready or self.agenda or self.lookups or self.mail.outbox
        return not busy and bool(self.awaiting or self.timers)

    def pinned(self, path: str) -> JsonObject | None:
        """The outputs that a node is taken to have given (``pins`` of ``run.created``), by its path in every round."""
        if not self.pins:
            return None
        pin = self.pins.get(path, self.pins.get(without_rounds(path)))
        return pin if isinstance(pin, Mapping) else None

    def melody_of(self, spec: GraphNode) -> CompiledMelody:
        """The melody that a node uses."""
        key = spec.package or ""
        return self.melody if key == SELF else self.melody.melodies[key]

    def set_timer(self, due_ms: int, kind: str, path: str) -> None:
        """Remember that something is due; ``decide`` drops what no longer matters."""
        heapq.heappush(self.timers, (due_ms, kind, path))

    def facts(self) -> dict[str, object]:
        """Everything that replay must give again, comparable with ``==``."""
        return {
            "status": self.status,
            "seq": self.next_seq,
            "nodes": {path: node.facts() for path, node in self.nodes.items()},
            "frames": sorted(self.frames),
            "agenda": list(self.agenda.items()),
            "ready": list(self.ready),
            "lookups": list(self.lookups),
            "breakpoints": self.breakpoints.facts(),
            "running": dict(self.running),
            "interrupts": dict(self.interrupts),
            "rejections": dict(self.rejections),
            "awaiting": list(self.awaiting),
            "mail": self.mail.facts(),
            "ending": self.ending,
            "undoing": self.undoing.facts(),
            "locks": {key: (lock.holder, list(lock.queue)) for key, lock in self.locks.items()},
            "shared": (dict(self.shared), dict(self.wanted)),
            "halting": self.halting,
            "halt": dict(self.halt),
            "outputs": self.outputs,
            "error": self.error,
            "usage": self.usage,
            "ledger": self.ledger,
            "in_line": list(self.in_line),
        }


def run_status(value: JsonValue) -> RunStatus:
    """A final status that an event names."""
    for status in _FINAL_STATUSES:
        if value == status:
            return status
    raise JournalError("PLY2105", f"the status {value!r}, expected one of: {', '.join(_FINAL_STATUSES)}")


def error_of(kind: str, message: str, trace: str | None = None) -> dict[str, JsonValue]:
    """A typed error as events and results carry it."""
    return {"kind": kind, "message": message, "trace": trace}
