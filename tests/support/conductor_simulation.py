"""A driver that lets a random world act on the pure core: no processes, no clock, no files."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from polyphony_runner.conductor.conclude import conclude
from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import Stored
from polyphony_runner.runtimes.protocol import Failure, Success
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue


class NoValues:
    """Nothing lies outside: simulated values are small."""

    def load(self, stored: Stored) -> JsonValue:
        raise AssertionError(f"nothing is stored, asked for {stored}")


@dataclass
class World:
    """Plays a run; every event is kept, so that a crash is a replay."""

    melody: CompiledMelody
    random: Random
    chaos: bool = True
    events: list[Event] = field(default_factory=list)
    now: int = 1000
    missed: dict[str, None] = field(default_factory=dict)
    state: RunState = field(init=False)

    def __post_init__(self) -> None:
        self.state = RunState(self.melody, NoValues())
        self.record(Draft("run.created", data={"cache": self.random.random() < 0.5}))
        self.record(Draft("run.started", data=self.stops()))

    def record(self, draft: Draft) -> None:
        event = Event(self.state.next_seq, self.now, draft.type, draft.node, draft.attempt, draft.data)
        evolve(self.state, event)
        self.events.append(event)

    def moment(self) -> Moment:
        return Moment(self.now, self.random.uniform(-1, 1), self.missed)

    def stops(self) -> dict[str, JsonValue]:
        """Where the run is to halt before a node begins: mostly nowhere."""
        if not self.chaos or self.random.random() < 0.9:
            return {}
        return self.random.choice([{"step": True}, {"breakpoints": ["n0", "n1/n0"]}])

    def replayed(self) -> RunState:
        state = RunState(self.melody, NoValues())
        for event in self.events:
            evolve(state, event)
        return state

    def play(self, steps: int = 5000) -> None:
        for _ in range(steps):
            if self.state.finished:
                return
            drafts = decide(self.state, self.moment())
            if drafts:
                for draft in drafts:
                    self.record(draft)
                if self.chaos and not self.state.finished and self.random.random() < 0.02:
                    self.crash()
            else:
                self.act()
        raise AssertionError("the run does not end")

    def act(self) -> None:
        """Something happens outside: an outcome, time, a person, a crash."""
        draw = self.random.random()
        if self.state.status == "halted" or (self.chaos and draw < 0.05):  # halted at a breakpoint
            self.crash()
        elif self.chaos and draw < 0.08:
            self.interrupt()
        elif self.chaos and draw < 0.1 and self.state.ending is None:
            paths = [None, *self.state.nodes, *(path for path in self.state.frames if path)]
            self.record(Draft("run.cancelling", self.random.choice(paths), None, {"reason": "requested"}))
        elif unknown := [path for path in self.state.lookups if path not in self.missed]:
            self.look_up(self.random.choice(unknown))
        elif self.state.interrupts and self.random.random() < 0.7:
            self.finish(next(iter(self.state.interrupts)), Failure("cancelled", "", retryable=False))
        elif self.state.running and (not self.state.timers or self.random.random() < 0.8):
            self.now += self.random.randint(0, 30)
            self.finish(self.random.choice(list(self.state.running)), self.outcome())
        elif self.state.awaiting and (not self.state.timers or self.random.random() < 0.5):
            self.answer(self.random.choice(list(self.state.awaiting)))
        else:
            assert self.state.timers, "the run can neither go on nor end"
            self.now = max(self.now, self.state.timers[0][0])

    def answer(self, path: str) -> None:
        """A person or another system does what a node waits for; sometimes something else."""
        node, number = self.state.nodes[path], len(self.events)
        if node.wait is None:  # a map that stays open
            payload: JsonValue = {"complete": True} if self.random.random() < 0.6 else {"item": number}
            request: SignalRequest | ApproveRequest = SignalRequest(f"e{number}", path, payload)
        elif node.wait.kind == "approval":
            request = ApproveRequest(path, self.random.random() < 0.5, "somebody")
        else:
            name = node.wait.name or "go"
            request = SignalRequest(f"e{number}", name, number, self.random.random() < 0.5)
        draft = request.draft(self.state)
        if draft is not None:
            self.record(draft)
        elif self.state.timers:
            self.now = max(self.now, self.state.timers[0][0])
        else:  # it holds all it may: nothing but its completion is left
            completed = SignalRequest(f"c{number}", path, {"complete": True}).draft(self.state)
            assert completed is not None
            self.record(completed)

    def look_up(self, path: str) -> None:
        """The cache knows the result of a pure node, or does not."""
        if self.random.random() < 0.5:
            self.missed[path] = None
        else:
            data: dict[str, JsonValue] = {"outputs": {"value": 2}, "cached": True, "key": "k"}
            self.record(Draft("node.succeeded", path, None, data))

    def outcome(self) -> Success | Failure:
        if self.random.random() < 0.7:
            return Success({"value": self.random.randint(0, 3)} if self.random.random() < 0.8 else {})
        return Failure("exit", "failed", retryable=self.random.random() < 0.8)

    def finish(self, path: str, outcome: Success | Failure) -> None:
        draft = conclude(self.state, path, self.state.running[path], outcome, self.moment())
        assert draft is not None
        self.record(draft)

    def crash(self) -> None:
        """The process is gone; another one replays the journal and goes on."""
        again = self.replayed()
        assert again.facts() == self.state.facts()
        self.state = again
        self.now += 100
        self.missed = {}
        self.record(Draft("run.resumed", data=self.stops()))

    def interrupt(self) -> None:
        for path, attempt in list(self.state.running.items()):
            node = self.state.nodes[path]
            reason = "interrupted" if node.cancelling is None else node.cancelling
            self.record(Draft("node.cancelled", path, attempt, {"reason": reason}))
        self.record(Draft("run.halted", None, None, {"reason": "interrupted"}))
        assert decide(self.state, self.moment()) == ()
        self.crash()
