"""Where a pattern is played: in this process, in the sandbox, on a cluster. The same request, the same script, a journal."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.values import loaded
from polyphony_runner.home import Home
from polyphony_runner.runs import control
from polyphony_runner.runs.assemble import AssembledRun, RunRequest, assemble
from polyphony_runner.runs.session import RuntimeFactory, begin
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject
from support.conformance_orders import observed
from support.conformance_patterns import ACT, Case, Pattern, Step

if TYPE_CHECKING:
    from support.cluster_world import World

_PATIENCE = 90.0
Ask = Callable[[control.Request], None]


@dataclass(frozen=True)
class Outcome:
    """A run that is over."""

    status: str
    outputs: JsonObject
    events: list[Event]

    @property
    def order(self) -> list[str]:
        """Its events in the words of ``conformance_orders``."""
        return observed(self.events)


class PatternExecutor(Protocol):
    """Plays one case to its end."""

    def play(self, pattern: Pattern, case: Case) -> Outcome: ...


@dataclass
class Script:
    """Watches the events of a run and does what the world does, each step once."""

    case: Case
    work: Path
    ask: Ask
    events: list[Event] = field(default_factory=list)
    done: set[int] = field(default_factory=set)

    def observe(self, event: Event, _state: RunState) -> None:
        """An event is in the journal."""
        self.events.append(event)
        come = set(observed(self.events))
        for number, step in enumerate(self.case.script):
            if number not in self.done and come.issuperset(step.after):
                self.done.add(number)
                self._do(step, number)

    def _do(self, step: Step, number: int) -> None:
        if step.release is not None:
            (self.work / step.release).touch()
        if (request := request_of(step, number)) is not None:
            self.ask(request)

    def outcome(self, state: RunState) -> Outcome:
        """What came of it; every step must have been done."""
        assert len(self.done) == len(self.case.script), "the world did not come to do all that it was to do"
        return Outcome(state.status, loaded(state.outputs, state.reader), self.events)


def request_of(step: Step, number: int) -> control.Request | None:
    """What a step asks of the run, if anything."""
    if step.signal is not None:
        signal, source = step.signal, {"by": "world"}
        return SignalRequest(f"world-{number}", signal.name, signal.payload, not signal.transient, source)
    if step.approve is not None:
        return ApproveRequest(step.approve, approved=True, by="world")
    if step.cancel is not None:
        return CancelRequest(None if step.cancel == "run" else step.cancel)
    return None


def assembled(pattern: Pattern, case: Case, home: Home, work: Path) -> AssembledRun:
    """A run of the pattern's folder as the command line would put it together."""
    inputs = work / "inputs.json"
    inputs.write_text(json.dumps(case.inputs))
    overrides = [f"conformance/act={ACT}"]
    request = RunRequest(pattern.folder, inputs_file=inputs, work=work, overrides=overrides, cache=False)
    return assemble(request, home)


@dataclass
class Local:
    """The real Conductor on a journal file, in this process; ``runtime`` carries the nodes out."""

    folder: Path
    runtime: RuntimeFactory

    @classmethod
    def of_functions(cls, folder: Path, act: NodeFunction) -> Local:
        """Nodes are calls of a function of this process."""
        return cls(folder, lambda *_: FunctionRuntime({"*": act}))

    def play(self, pattern: Pattern, case: Case) -> Outcome:
        """Play the case in a home of its own."""
        home, work = Home.at(self.folder / "home"), self.folder / "work"
        work.mkdir()
        run = assembled(pattern, case, home, work)
        script = Script(case, work, lambda request: control.ask(run.folder, request))

        async def conduct() -> None:
            async with asyncio.timeout(_PATIENCE):
                await session.conduct(self.runtime, script.observe)

        with begin(run, home) as session:
            asyncio.run(conduct())
        return script.outcome(session.state)


@dataclass
class OnCluster:
    """A cluster of several workers, each a process of its own."""

    world: World

    def play(self, pattern: Pattern, case: Case) -> Outcome:
        """Submit, and follow to the end."""
        work = self.world.folder / f"work{len(list(self.world.folder.iterdir()))}"
        work.mkdir()
        run = assembled(pattern, case, self.world.home, work)
        script = Script(case, work, lambda request: self.world.cluster.ask(run.record.run, request))
        self.world.cluster.submit(run)
        return script.outcome(self.world.cluster.follow(run.record.run, script.observe))
