"""What may follow what in a journal, told by the melody and the journal alone: nothing of the Conductor's code is used.

The oracle knows each round's nodes by their path and asks of every event for its cause: of a first start that the join
is met, of a death that it cannot be met any more, of every further attempt a retry or a resumption, of a handler the
failure or the undoing that called it, of the end of a round that all in it has ended.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from polyphony_schemas.graph.linking import SELF
from polyphony_schemas.graph.model import CompiledMelody, Edge, Graph, GraphNode
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue
from support.conductor_oracle_scopes import Repeating

EdgeState = Literal["waiting", "live", "dead", "error"]
_COMPARED = re.compile(r"(\w+)\.value > 1")
_FINALS = {f"node.{word}": word for word in ("succeeded", "failed", "skipped", "dead", "cancelled")}
# Waits with which a node may begin.
_FIRST_WAITS = ("mutex", "fallback", "resume")


@dataclass
class Life:
    """One node in one round. ``called`` is why a handler lives; ``permit``: one more start has a cause."""

    spec: GraphNode
    called: str = ""
    begun: bool = False
    permit: bool = False
    running: bool = False
    halted: bool = False
    retries: int = 0
    fallbacks: list[str] = field(default_factory=list)
    final: str | None = None
    outputs: Mapping[str, JsonValue] = field(default_factory=dict)
    gives: bool = False
    added: int = 0
    completed: bool = False

    @property
    def unfinished(self) -> bool:
        return self.final is None


@dataclass
class Round:
    """One round of a graph, or the run itself."""

    graph: Graph
    lives: dict[str, Life]


@dataclass
class Oracle:
    """Sees the events of one run in their order; ``AssertionError`` for one without a cause."""

    melody: CompiledMelody
    rounds: dict[str, Round] = field(default_factory=dict)
    handlers: dict[str, Life] = field(default_factory=dict)
    attempts: Counter[str] = field(default_factory=Counter)
    undone: set[tuple[str | None, int | None]] = field(default_factory=set)
    sent: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    reasons: set[str] = field(default_factory=set)
    finished: bool = False
    scopes: dict[str, Repeating] = field(default_factory=dict)

    def see(self, event: Event) -> None:
        """The next event."""
        assert not self.finished, f"{event.type} after the end"
        path = event.node or ""
        match event.type:
            case "run.started":
                self.rounds[""] = _round(self.melody.graph)
            case "run.resumed":
                self._resumed()
            case "run.cancelling":
                self.reasons.add(str(event.data.get("reason")))
            case "run.finished":
                self._finished()
            case "scope.opened":
                self._opened(path, event)
            case "scope.round":
                self._next_round(path)
            case "scope.closed" if path.endswith("]"):
                self._all_over(path)
                del self.rounds[path]
                owner, _, index = path.removesuffix("]").rpartition("[")
                self.scopes[owner].end(int(index), event.data)
            case "scope.closed":
                self.reasons.add(str(event.data["reason"]))
                if path in self.scopes:
                    self.scopes[path].close(str(event.data["reason"]))
            case "signal.received":
                self.sent[str(event.data["name"])] += 1
                self._signalled(path, event)
            case "undo.started":
                self._undo(event)
            case type_ if type_.startswith("node.") and type_ not in ("node.usage", "node.progress"):
                self._node(event, path)

    def _node(self, event: Event, path: str) -> None:
        life = self._life(path)
        assert life.unfinished, f"{event.type} of {path}, which has {life.final}"
        what = str(event.data.get("for", ""))
        interrupted = event.type == "node.cancelled" and event.data.get("reason") == "interrupted"
        if not life.begun and event.type not in ("node.dead", "node.cancelled"):
            self._begins(event, path, life, what)
        match event.type:
            case "node.started":
                assert life.permit and not life.running, f"{path} starts without a cause"
                life.permit, life.running = False, True
                self.attempts[path] += 1
                assert event.attempt == self.attempts[path]
            case "node.retrying":
                retry = life.spec.on_error.retry
                life.retries += 1
                assert life.running and retry is not None and life.retries <= retry.max
                life.running, life.permit = False, True
                self._closed_inside(path, life)
            case "node.waiting":
                self._waits(event, path, life, what)
            case "node.cancelled" if interrupted:
                life.running, life.permit = False, True
            case type_ if type_ in _FINALS:
                self._ends(event, path, life, _FINALS[type_])

    def _begins(self, event: Event, path: str, life: Life, what: str) -> None:
        """The first that happens to a node: its join is met, or it is a handler that was called."""
        assert event.type != "node.waiting" or what in _FIRST_WAITS
        if life.spec.handler:
            assert life.called, f"the handler {path} begins uncalled"
        else:
            states = self._edges(path)
            refused = event.type in ("node.failed", "node.waiting") and "error" in states
            assert refused or _met(life.spec, states) is True, f"{path} begins with {states}"
        life.begun = life.permit = True

    def _waits(self, event: Event, path: str, life: Life, what: str) -> None:
        if what not in ("fallback", "resume"):
            return
        life.running = life.permit = False
        self._closed_inside(path, life)
        if what == "resume":
            life.halted = True
            return
        by = str(event.data["by"])
        assert by.rpartition("/")[2] == life.spec.on_error.fallback[len(life.fallbacks)], (
            "fallbacks in their order"
        )
        if life.fallbacks:
            assert self.handlers[life.fallbacks[-1]].final not in (None, "succeeded")
        life.fallbacks.append(by)
        self._call(by, "fallback")

    def _ends(self, event: Event, path: str, life: Life, final: str) -> None:
        if final == "dead":
            assert not life.begun and _met(life.spec, self._edges(path)) is False, f"{path} dies too early"
        if final == "succeeded":
            self._succeeds(event, path, life)
        if final == "failed":
            life.gives = event.data.get("final") == "skip" and life.spec.on_error.skip_outputs is not None
            if event.data.get("final") == "compensate":
                self._call(str(event.data["by"]), "compensate")
        if final == "cancelled":
            reason = event.data.get("reason")
            assert reason in ("join", "cancelled") or reason in self.reasons, (
                f"{path} is cancelled for {reason}"
            )
        outputs = event.data.get("outputs", {})
        life.outputs = outputs if isinstance(outputs, Mapping) else {}
        life.final, life.running, life.permit = final, False, False
        if life.spec.kind in ("block", "melody"):
            self._closed_inside(path, life)

    def _succeeds(self, event: Event, path: str, life: Life) -> None:
        by = event.data.get("by")
        if by is not None:
            assert life.fallbacks and by == life.fallbacks[-1]
            assert self.handlers[str(by)].final == "succeeded"
        elif event.data.get("cached") is True:
            assert life.spec.pure and life.permit and not life.running
        else:
            assert life.running, f"{path} succeeds without having started"
            if path in self.scopes:
                self.scopes[path].check_success(event.data.get("outputs"))
        if isinstance(event.data.get("stop"), Mapping):
            self.reasons.add("stopped")
        outputs, name = event.data.get("outputs"), life.spec.values.get("signal")
        if name is not None and isinstance(outputs, Mapping) and outputs.get("timed_out") is False:
            self.taken[str(name.value)] += 1
            assert self.taken[str(name.value)] <= self.sent[str(name.value)], "a signal is taken once"

    def _undo(self, event: Event) -> None:
        assert (event.node, event.attempt) not in self.undone, f"{event.node} is undone twice"
        self.undone.add((event.node, event.attempt))
        lives = self.rounds[""].lives.values()
        assert not any(life.unfinished and not life.spec.handler for life in lives), "undone before the end"
        self._call(str(event.data["by"]), "undo")

    def _call(self, path: str, why: str) -> None:
        """A handler gets a new life."""
        before = self.handlers.get(path)
        assert before is None or not before.unfinished
        self.handlers[path] = Life(self._spec(path), called=why)

    def _life(self, path: str) -> Life:
        if path in self.handlers and self.handlers[path].spec.handler:
            return self.handlers[path]
        place, _, name = path.rpartition("/")
        assert place in self.rounds, f"{path} lives in a round that is not open"
        return self.rounds[place].lives[name]

    def _spec(self, path: str) -> GraphNode:
        """The node of the melody that a path means, also of a round that is over."""
        graph, melody = self.melody.graph, self.melody
        *places, name = path.split("/")
        for place in places:
            node = graph.nodes[place.partition("[")[0]]
            if node.kind == "melody":
                melody = self._used(node)
                graph = melody.graph
            elif node.body is not None:
                graph = node.body
        return graph.nodes[name]

    def _used(self, node: GraphNode) -> CompiledMelody:
        key = node.package or ""
        return self.melody if key == SELF else self.melody.melodies[key]

    def _signalled(self, path: str, event: Event) -> None:
        """A signal may add an item to a map, or complete it; one that is kept does so before the map opens."""
        life = self._life(path) if path else None
        payload = event.data.get("payload")
        if life is None or life.spec.kind != "for_each" or not isinstance(payload, Mapping):
            return
        scope = self.scopes.get(path)
        if scope is None and event.data.get("persistent") is False:
            return
        if "item" in payload:
            life.added += 1
            if scope is not None:
                scope.total += 1
        elif scope is not None:
            scope.completed = True
        else:
            life.completed = True

    def _opened(self, path: str, event: Event) -> None:
        life = self._life(path)
        assert life.running, f"{path} opens without having started"
        self._forget(path)
        if life.spec.kind == "melody":
            self.rounds[path] = _round(self._used(life.spec).graph)
        elif life.spec.kind == "block" and life.spec.body is not None:
            self.rounds[path] = _round(life.spec.body)
        else:
            items, parallel = event.data.get("items"), event.data.get("parallel", life.spec.loop.parallel)  # type: ignore[union-attr]  # a scope has a header
            total = (len(items) if isinstance(items, (list, tuple)) else 0) + life.added
            self.scopes[path] = Repeating(life.spec, total, int(str(parallel)), completed=life.completed)

    def _next_round(self, path: str) -> None:
        owner, _, index = path.removesuffix("]").rpartition("[")
        self.scopes[owner].begin(int(index))
        body = self._life(owner).spec.body
        assert body is not None
        self.rounds[path] = _round(body)

    def _forget(self, path: str) -> None:
        """A scope begins anew: what was inside before is gone."""
        for table in (self.rounds, self.handlers, self.scopes):
            for inner in [one for one in table if one.startswith((f"{path}[", f"{path}/"))]:
                del table[inner]
        self.scopes.pop(path, None)

    def _closed_inside(self, path: str, life: Life) -> None:
        """A scope is over, or begins anew: no round of it is open any more."""
        self.scopes.pop(path, None)
        if path in self.rounds and life.spec.kind in ("block", "melody"):
            self._all_over(path)
            del self.rounds[path]

    def _all_over(self, path: str) -> None:
        """Everything in a round has ended, with all that belongs to it."""
        prefix = f"{path}/" if path else ""
        for name, life in self.rounds[path].lives.items():
            assert life.spec.handler or not life.unfinished, f"{path or 'the run'} ends before {name}"
        for inner in self.rounds:
            assert inner == path or not inner.startswith(prefix), f"{path or 'the run'} ends before {inner}"
        for handler, life in self.handlers.items():
            inside = handler.rpartition("/")[0] == path and life.called != "undo"
            assert not (inside and life.unfinished), f"{path or 'the run'} ends before {handler}"

    def _resumed(self) -> None:
        """What was in flight may start again, and so may what halted the run, as if for the first time."""
        lives = {
            f"{place}/{name}": life for place, one in self.rounds.items() for name, life in one.lives.items()
        }
        for path, life in (*lives.items(), *self.handlers.items()):
            if life.halted:
                life.halted, life.permit, life.retries, life.fallbacks = False, True, 0, []
                life.begun = life.spec.handler or _met(life.spec, self._edges(path.lstrip("/"))) is True
            elif life.running and life.spec.kind == "extension":
                life.running, life.permit = False, True

    def _finished(self) -> None:
        self._all_over("")
        assert all(not life.unfinished for life in self.handlers.values())
        self.finished = True

    def _edges(self, path: str) -> list[EdgeState]:
        place, _, name = path.rpartition("/")
        one = self.rounds[place]
        return [_edge(edge, one.lives[edge.source]) for edge in one.graph.edges if edge.target == name]


def _round(graph: Graph) -> Round:
    return Round(graph, {name: Life(node) for name, node in graph.nodes.items()})


def _edge(edge: Edge, source: Life) -> EdgeState:
    if source.unfinished:
        return "waiting"
    if source.final != "succeeded" and not source.gives:
        return "dead"
    if not edge.reference and edge.source_port is not None and edge.source_port not in source.outputs:
        return "dead"
    return "live" if edge.when is None else _condition(edge.when.source, source.outputs)


def _condition(text: str, outputs: Mapping[str, JsonValue]) -> EdgeState:
    """The few conditions that random graphs have."""
    if text in ("true", "false"):
        return "live" if text == "true" else "dead"
    if _COMPARED.fullmatch(text) is None:
        return "error"
    value = outputs.get("value")
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return "error"
    return "live" if value > 1 else "dead"


def _met(spec: GraphNode, states: list[EdgeState]) -> bool | None:
    """Whether a join is met: never (False), not yet (None)."""
    live, waiting = states.count("live"), states.count("waiting")
    if not states:
        return True
    needed = {"all": len(states), "any": 1, "first": 1, "active": 1, "n": spec.join.count}[spec.join.kind]
    if live + waiting < needed:
        return False
    if spec.join.kind == "active" and waiting:
        return None
    return True if live >= needed else None
