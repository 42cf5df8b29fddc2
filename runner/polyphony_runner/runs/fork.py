"""Which events of a run a new run takes over: everything that does not follow from what is to be done again.

``read_past`` replays a journal and remembers how its nodes hang together. ``keep`` drops the events of the nodes that
are done again, of all that depends on them, of later rounds, and the ends of the scopes around them; what is left is
a journal that could have been written so. Where it could not (a join that was met by what is gone, say), the plain
beginning of the journal up to the first dropped event is taken: that always could.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.plan import GraphPlan
from polyphony_runner.conductor.state import Node, RunState
from polyphony_schemas.graph.model import Edge
from polyphony_schemas.journal import Event, EventType

_SCOPE_ENDS: frozenset[EventType] = frozenset(
    {"scope.closed", "node.succeeded", "node.failed", "node.cancelled", "node.retrying", "node.waiting"}
)
# How a node ended that is now taken to have succeeded; a fallback or a halt that was waited for is no more either.
_OVERRULED: frozenset[EventType] = frozenset(
    {"node.failed", "node.cancelled", "node.skipped", "node.dead", "node.waiting"}
)
_NOT_TAKEN: frozenset[EventType] = frozenset(
    {"run.finished", "run.cancelling", "undo.started", "undo.done", "undo.failed", "notification.sent"}
)


@dataclass(frozen=True, slots=True)
class Instance:
    """One node of a run: where it stands, and the scope (``owner``, its round) that it is in.

    ``guards`` is the node that this instance of a handler is for. ``repeats``: rounds after ``index`` follow from it.
    """

    path: str
    name: str
    frame: str
    plan: GraphPlan
    owner: str | None
    index: int
    repeats: bool
    guards: str | None

    def beside(self, name: str) -> str:
        """The path of another node of the same round."""
        return f"{self.frame}/{name}" if self.frame else name

    def outgoing(self) -> Iterator[Edge]:
        """Its connections to other nodes of the round."""
        for index in self.plan.outgoing.get(self.name, ()):
            yield self.plan.edges[index]


@dataclass(slots=True)
class Past:
    """A journal as it was read: its events, every node that had one, and how those ended."""

    events: list[Event]
    state: RunState
    nodes: dict[str, Instance] = field(default_factory=dict)
    ends: dict[str, Event] = field(default_factory=dict)
    undone: set[str] = field(default_factory=set)

    def find(self, path: str) -> Instance | None:
        """A node of the run, also one that had no event yet."""
        if path not in self.nodes and path in self.state.nodes:
            self.nodes[path] = _instance(self.state.nodes[path])
        return self.nodes.get(path)

    def unfinished_business(self) -> set[str]:
        """Nodes that failed for good, were cancelled, or were taken back: they have to be done again in any case."""
        found = set(self.undone)
        for path, event in self.ends.items():
            failed = event.type == "node.failed" and event.data.get("final") != "skip"
            if failed or event.type == "node.cancelled":
                found.add(self.nodes[path].guards or path)
        return {path for path in found if not self._holds(path, found)}

    def _holds(self, path: str, found: Iterable[str]) -> bool:
        """Whether a scope ended so because of a node inside, which is done again instead of the whole."""
        return any(other != path and _inside(other, path) for other in found)


def read_past(events: Sequence[Event], state: RunState) -> Past:
    """Replay events into a fresh state, remembering every node on the way."""
    past = Past([], state)
    for event in events:
        evolve(state, event)
        past.events.append(event)
        node = state.nodes.get(event.node or "")
        if node is None:
            continue
        if node.path not in past.nodes:
            past.nodes[node.path] = _instance(node)
        if event.type in ("node.succeeded", "node.failed", "node.skipped", "node.dead", "node.cancelled"):
            past.ends[node.path] = event
        if event.type == "undo.started":
            past.undone.add(node.path)
    return past


def _instance(node: Node) -> Instance:
    frame = node.frame
    return Instance(
        path=node.path,
        name=node.spec.id,
        frame=frame.path,
        plan=frame.plan,
        owner=None if frame.owner is None else frame.owner.path,
        index=frame.index,
        repeats=frame.owner is not None and frame.owner.spec.kind in ("while", "until"),
        guards=None if node.duty is None else node.duty.of.path,
    )


@dataclass(slots=True)
class Redone:
    """What is done again: nodes with all that is inside, and scopes that are open again for them.

    ``overruled`` are nodes whose end does not count any more, since a person gives them their outputs. ``exact``: how
    the run was ended, cancelled or undone is part of what is taken over.
    """

    past: Past
    exact: bool = False
    whole: set[str] = field(default_factory=set)
    overruled: set[str] = field(default_factory=set)
    reopened: set[str] = field(default_factory=set)
    rounds: set[str] = field(default_factory=set)
    later: dict[str, int] = field(default_factory=dict)

    def add(self, path: str) -> None:
        """A node, what depends on it, and what follows for the scopes around."""
        pending = [path]
        while pending:
            one = pending.pop()
            if one in self.whole:
                continue
            self.whole.add(one)
            instance = self.past.nodes.get(one)
            if instance is not None:
                pending += [instance.beside(edge.target) for edge in instance.outgoing()]
                self._reopen(instance, pending)

    def add_after(self, path: str, ports: Iterable[str]) -> None:
        """What depends on these ports of a node, but not the node; on all of it where it did not succeed."""
        instance = self.past.nodes.get(path)
        if instance is None:
            return
        wanted = set(ports)
        end = self.past.ends.get(path)
        new = end is None or end.type != "node.succeeded"
        if new:
            self.overruled.add(path)
        for edge in instance.outgoing():
            if new or edge.source_port in wanted:
                self.add(instance.beside(edge.target))
        pending: list[str] = []
        self._reopen(instance, pending)
        for one in pending:
            self.add(one)

    def _reopen(self, instance: Instance, pending: list[str]) -> None:
        """The scope around has to end again, and what depends on the scope with it."""
        while instance.owner is not None and instance.frame not in self.rounds:
            self.rounds.add(instance.frame)
            self.reopened.add(instance.owner)
            if instance.repeats:
                self.later[instance.owner] = min(
                    instance.index, self.later.get(instance.owner, instance.index)
                )
            owner = self.past.nodes.get(instance.owner)
            if owner is None:
                return
            pending += [owner.beside(edge.target) for edge in owner.outgoing()]
            instance = owner

    def drops(self, event: Event) -> bool:
        """Whether an event is not taken over."""
        path = event.node
        if event.type in _NOT_TAKEN and not self.exact:
            return True
        if path is None:
            return False
        instance = self.past.nodes.get(path)
        if instance is not None and (instance.guards in self.whole or instance.guards in self.overruled):
            return True
        if path in self.overruled and event.type in _OVERRULED:
            return True
        if any(one in self.whole for one in _around(path)):
            return True
        if path in self.reopened and event.type in _SCOPE_ENDS:
            return True
        if path in self.rounds and event.type == "scope.closed":
            return True
        return any(self._is_later(one) for one in _around(path))

    def _is_later(self, path: str) -> bool:
        if not path.endswith("]"):
            return False
        owner, _, index = path[:-1].rpartition("[")
        return owner in self.later and int(index) > self.later[owner]


def keep(past: Past, redone: Redone) -> tuple[list[Event], int]:
    """The events that are taken over, and the number of the first that is not."""
    kept, first = list[Event](), len(past.events)
    for event in past.events:
        if redone.drops(event):
            first = min(first, event.seq)
        else:
            kept.append(event)
    while kept and kept[-1].type == "run.halted":
        kept.pop()
    return kept, first


def _around(path: str) -> Iterator[str]:
    """A path, and every node and round that it lies in: ``a[1]/b``, ``a[1]``, ``a``."""
    yield path
    for place in range(len(path) - 1, 0, -1):
        if path[place] in "/[":
            yield path[:place]


def _inside(path: str, scope: str) -> bool:
    return path.startswith((f"{scope}/", f"{scope}["))
