"""A pattern under every schedule: the pure core, with the world's choices drawn at random.

What the world may choose: which running node ends next, when a step of the script is taken, and how many of such
things come before the Conductor decides again. The order in which the file names nodes and connections is drawn too,
as nothing may depend on it. All that two real executors could do in different orders is among these choices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import permutations
from pathlib import Path
from random import Random

from polyphony_runner.conductor.conclude import conclude
from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import loaded
from polyphony_runner.runs.assemble import RunRequest, read_score
from polyphony_runner.runtimes.protocol import Failure, Success
from polyphony_schemas.graph.model import CompiledMelody, Graph
from polyphony_schemas.journal import Event
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


def shuffled(graph: Graph, random: Random) -> Graph:
    """The same graph as if its file named everything in another order."""
    names, edges = list(graph.nodes), list(graph.edges)
    random.shuffle(names)
    random.shuffle(edges)
    nodes = {name: graph.nodes[name] for name in names}
    bodies = {name: node.body for name, node in nodes.items() if node.body is not None}
    nodes |= {name: replace(nodes[name], body=shuffled(body, random)) for name, body in bodies.items()}
    return Graph(nodes, tuple(edges))


@dataclass
class Schedule:
    """One run of a case under choices that ``random`` makes."""

    melody: CompiledMelody
    case: Case
    random: Random
    events: list[Event] = field(default_factory=list)
    released: set[str] = field(default_factory=set)
    done: set[int] = field(default_factory=set)
    now: int = 1000
    state: RunState = field(init=False)

    def __post_init__(self) -> None:
        self.state = RunState(self.melody, NoValues())
        self._record(Draft("run.created", data={"run": "r_pattern", "inputs": dict(self.case.inputs)}))
        self._record(Draft("run.started"))

    def play(self) -> Outcome:
        """Choose until the run is over."""
        for _ in range(_MOST_CHOICES):
            if self.state.finished:
                assert len(self.done) == len(self.case.script)
                return Outcome(self.state.status, loaded(self.state.outputs, NoValues()), self.events)
            choices = list(self._choices())
            if decide(self.state, self._moment()):
                choices.append(self._decide)
            elif not choices:
                assert self.state.timers, f"the run can neither go on nor end: {observed(self.events)}"
                choices.append(self._wait)
            self.random.choice(choices)()
        raise AssertionError(f"the run does not end: {observed(self.events)}")

    def _choices(self) -> Iterator[Callable[[], None]]:
        for path in self.state.running:
            hold = str(self._given(path).get("hold", ""))
            if path in self.state.interrupts:
                yield lambda path=path: self._end(path, _CANCELLED)  # type: ignore[misc]  # bound now
            if not hold or hold in self.released:
                yield lambda path=path: self._end(path, self._outcome(path))  # type: ignore[misc]  # bound now
        come = set(observed(self.events))
        for number, step in enumerate(self.case.script):
            if number not in self.done and come.issuperset(step.after):
                yield lambda number=number, step=step: self._act(number, step)  # type: ignore[misc]  # bound now

    def _decide(self) -> None:
        while drafts := decide(self.state, self._moment()):
            for draft in drafts:
                self._record(draft)

    def _wait(self) -> None:
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

    def _given(self, path: str) -> dict[str, object]:
        return dict(loaded(self.state.nodes[path].directive.get("inputs", {}), NoValues()))

    def _outcome(self, path: str) -> Success | Failure:
        given = loaded(self.state.nodes[path].directive.get("inputs", {}), NoValues())
        return Failure("exit", "as asked") if given.get("fail") else Success({"value": given.get("value", 1)})

    def _end(self, path: str, outcome: Success | Failure) -> None:
        draft = conclude(self.state, path, self.state.running[path], outcome, self._moment())
        if draft is not None:
            self._record(draft)

    def _moment(self) -> Moment:
        return Moment(self.now, 0.0)

    def _record(self, draft: Draft) -> None:
        event = Event(self.state.next_seq, self.now, draft.type, draft.node, draft.attempt, draft.data)
        evolve(self.state, event)
        self.events.append(event)


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
