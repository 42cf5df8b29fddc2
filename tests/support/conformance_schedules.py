"""A pattern under every schedule: the pure core, with the world's choices drawn at random.

What may be chosen: which running node ends next, when a step of the script is taken, and which of the decisions that
are due the Conductor takes next. It has an order of its own for those (by time, then by name), but no pattern depends
on it, save that locks are given to who came first. All that two real executors could do in different orders is among
these choices. Every schedule draws how eager each node is, so that some lag far behind the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import permutations
from pathlib import Path
from random import Random
from typing import Any

from polyphony_runner.conductor.conclude import conclude
from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.plan import GraphPlan, Plans
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import loaded
from polyphony_runner.runs.assemble import RunRequest, read_score
from polyphony_runner.runtimes.protocol import Failure, Success
from polyphony_schemas.graph.model import CompiledMelody, Graph
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue
from support.conductor_simulation import NoValues
from support.conformance_executors import Outcome, request_of
from support.conformance_orders import Trace, observed
from support.conformance_patterns import ACT, Case, Pattern, Step

_CANCELLED = Failure("cancelled", "cancelled", retryable=False)
_MOST_CHOICES = 500


def melody_of(pattern: Pattern) -> CompiledMelody:
    """The compiled graph of a pattern."""
    overrides = [f"conformance/act={ACT}"]
    return read_score(RunRequest(pattern.folder, overrides=overrides, work=Path("/")), None).melody


class ShuffledPlans(Plans):
    """Nodes that may begin at once do so in an order that is drawn."""

    def __init__(self, random: Random) -> None:
        super().__init__()
        self._random, self._shuffled = random, dict[int, GraphPlan]()

    def of(self, graph: Graph) -> GraphPlan:
        if id(graph) not in self._shuffled:
            plan = super().of(graph)
            names = self._random.sample(plan.started_by_routing, len(plan.started_by_routing))
            self._shuffled[id(graph)] = replace(plan, started_by_routing=tuple(names))
        return self._shuffled[id(graph)]


@dataclass(frozen=True)
class Choice:
    """What may happen next, and to which node."""

    path: str
    act: Callable[[], None]


@dataclass
class Schedule:
    """One run of a case under choices that ``random`` makes; ``kills`` is how likely its process dies at each of them."""

    melody: CompiledMelody
    case: Case
    random: Random
    events: list[Event] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    kills: float = 0.0
    now: int = 1000
    state: RunState = field(init=False)
    _eagerness: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.plans = ShuffledPlans(self.random)
        self.state = RunState(self.melody, NoValues(), self.plans)
        self._record(Draft("run.created", data={"run": "r_pattern", "inputs": dict(self.case.inputs)}))
        self._record(Draft("run.started"))

    def play(self) -> Outcome:
        """Choose until the run is over."""
        for _ in range(_MOST_CHOICES):
            if self.state.finished:
                assert len(self.done) == len(self.case.script)
                return Outcome(self.state.status, loaded(self.state.outputs, NoValues()), self.events)
            if self.random.random() < self.kills:
                self._kill()
            choices = [*self._decisions(), *self._choices()]
            assert choices, f"the run can neither go on nor end: {observed(self.events)}"
            if self.random.random() < 0.3:
                self.random.choice(choices).act()
            else:
                max(choices, key=lambda choice: self._eager(choice.path)).act()
        raise AssertionError(f"the run does not end: {observed(self.events)}")

    def _kill(self) -> None:
        """The process is gone; another one takes the run up from its journal."""
        self.state = RunState(self.melody, NoValues(), self.plans)
        for event in self.events:
            evolve(self.state, event)
        self._record(Draft("run.resumed"))

    def _decisions(self) -> Iterator[Choice]:
        """One of the decisions that are due. Programs start when nothing else is to be decided, or before."""
        state = self.state
        for due in (state.agenda, state.ready):
            self._reorder(due)
        agenda = state.agenda
        if state.ready and self.random.random() < 0.5:
            state.agenda = {}
        drafts = decide(state, self._moment())
        state.agenda = agenda
        if drafts:
            yield Choice(drafts[0].node or "", lambda: self._record(*drafts))

    def _reorder(self, due: dict[str, Any]) -> None:
        """The most eager first, but who asks for a lock in the order of their coming."""
        locking = iter([path for path in due if self._locks(path)])
        items = sorted(due, key=self._eager, reverse=True)
        ordered = {path: due[path] for path in (next(locking) if self._locks(one) else one for one in items)}
        due.clear()
        due.update(ordered)

    def _locks(self, path: str) -> bool:
        return path in self.state.nodes and self.state.nodes[path].spec.mutex is not None

    def _eager(self, path: str) -> float:
        return self._eagerness.setdefault(path, self.random.random())

    def _choices(self) -> Iterator[Choice]:
        for path in self.state.running:
            hold = self._given(path).get("hold")
            if path in self.state.interrupts:
                yield Choice(path, partial(self._end, path, _CANCELLED))
            if hold is None or hold in self.released:
                yield Choice(path, partial(self._end, path, self._outcome(path)))
        if self.state.timers:
            yield Choice("time", self._let_pass)
        come = set(observed(self.events))
        for number, step in enumerate(self.case.script):
            if number not in self.done and come.issuperset(step.after):
                yield Choice(f"world {number}", partial(self._act, number, step))

    def _let_pass(self) -> None:
        self.now = max(self.now, self.state.timers[0][0])

    def _act(self, number: int, step: Step) -> None:
        self.done.add(number)
        if step.release is not None:
            self.released.add(step.release)
        request = request_of(step, number)
        if request is not None:
            draft = request.draft if isinstance(request, CancelRequest) else request.draft(self.state)
            assert draft is not None, f"the run takes no {request}"
            self._record(draft)

    def _given(self, path: str) -> dict[str, JsonValue]:
        return loaded(self.state.nodes[path].directive.get("inputs", {}), NoValues())

    def _outcome(self, path: str) -> Success | Failure:
        given = self._given(path)
        if given.get("fail") or self.state.running[path] <= int(str(given.get("failures", 0))):
            return Failure("exit", "as asked")
        return Success({"value": given.get("value", 1)})

    def _end(self, path: str, outcome: Success | Failure) -> None:
        draft = conclude(self.state, path, self.state.running[path], outcome, self._moment())
        if draft is not None:
            self._record(draft)

    def _moment(self) -> Moment:
        return Moment(self.now, 0.0)

    def _record(self, *drafts: Draft) -> None:
        for draft in drafts:
            event = Event(self.state.next_seq, self.now, draft.type, draft.node, draft.attempt, draft.data)
            evolve(self.state, event)
            self.events.append(event)


def without_kills(order: list[str]) -> list[str]:
    """What is left of an order when kills are left out, and the further starts of what they ended."""
    return [event for event in order if not re.fullmatch(r"run\.resumed(#\d+)?|.*\.started#\d+", event)]


@dataclass
class Seen:
    """The orders that one trace allowed, and which pairs of events were seen in which order."""

    trace: Trace
    before: set[tuple[str, str]] = field(default_factory=set)

    def add(self, order: list[str]) -> None:
        self.before |= {(left, right) for place, left in enumerate(order) for right in order[place + 1 :]}

    def unexplained(self) -> set[tuple[str, str]]:
        """Pairs that were seen in one order alone, though the trace allows both."""
        ordered = closure(self.trace)
        return {
            (left, right)
            for left, right in self.before
            if (right, left) not in self.before and (left, right) not in ordered
        }


def closure(trace: Trace) -> set[tuple[str, str]]:
    """All pairs that the chains of a trace order, directly or through others."""
    after: dict[str, set[str]] = {event: set() for event in trace.events}
    for left, right in trace.before:
        after[left].add(right)

    def reach(event: str, found: set[str]) -> set[str]:
        for further in after[event] - found:
            found.add(further)
            reach(further, found)
        return found

    return {(event, later) for event in trace.events for later in reach(event, set())}


def allowed(trace: Trace) -> set[tuple[str, ...]]:
    """Every order of a small trace, by trying all."""
    return {order for order in permutations(sorted(trace.events)) if not trace.objections(order)}
