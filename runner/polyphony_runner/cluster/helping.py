"""Attempts of runs that other workers hold: taken in batches, executed here, their outcomes handed in."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from polyphony_runner.cluster.codec import decode_assignment, encode_outcome, encode_said
from polyphony_runner.cluster.conducting import Station
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.logs import ClusterLogs
from polyphony_runner.cluster.material import load_material
from polyphony_runner.cluster.runtime import PlacedRuntime
from polyphony_runner.cluster.tasks import BATCH, Task, Wake, cancelled_tasks, claim_tasks, hand_in, say
from polyphony_runner.conductor.executor import Done, LocalExecutor, Lost, Said

_RUNS_KNOWN = 64


@dataclass(slots=True)
class _Known:
    """What is needed for any attempt of a run."""

    runtime: PlacedRuntime
    logs: ClusterLogs


@dataclass(slots=True)
class _Taken:
    task: Task
    executor: LocalExecutor
    known: _Known


@dataclass(slots=True)
class Helping:
    """The tasks that this worker took. ``heard`` tells its own runs that something is to be read."""

    station: Station
    heard: Callable[[str], None]
    _taken: dict[int, _Taken] = field(default_factory=dict)
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict)
    _outcomes: list[tuple[int, str]] = field(default_factory=list)
    _said: list[tuple[int, str]] = field(default_factory=list)
    _soon: asyncio.Handle | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is being executed or to be handed in."""
        return not (self._taken or self._outcomes or self._said)

    def take(self, run: str | None = None) -> None:
        """Take what there is, as far as there are places: of one run first, then of any."""
        station = self.station
        while (places := min(station.slots.free, BATCH)) > 0:
            taken = claim_tasks(station.database, station.name, station.settings.lease, places, run)
            for task in taken:
                station.slots.take()
                self._begin(task)
            if len(taken) < places and run is None:
                return
            run = None if len(taken) < places else run

    def end_cancelled(self) -> None:
        """End what the holders of the runs want ended."""
        if self._taken:
            for number in cancelled_tasks(self.station.database, self.station.name):
                if (taken := self._taken.get(number)) is not None:
                    taken.executor.cancel(taken.task.node)

    def show_logs(self) -> None:
        """Let others see what the nodes wrote."""
        for run in {taken.task.run for taken in self._taken.values()}:
            self._known_of(run).logs.show()

    async def close(self) -> None:
        """End everything at once; what was taken is somebody else's after its lease."""
        for taken in list(self._taken.values()):
            await taken.executor.close()

    def _begin(self, task: Task) -> None:
        try:
            known = self._known_of(task.run)
        except ClusterError:
            self.station.slots.give()  # the run was removed meanwhile, and its tasks with it
            return
        assignment, timeout = decode_assignment(task.body, self.station.values)
        taken = self._taken[task.id] = _Taken(task, LocalExecutor(known.runtime), known)

        def report(message: Done | Said | Lost) -> None:
            if isinstance(message, Said):
                self._hear(taken, message)
            elif isinstance(message, Done):
                self._end(taken, message)

        taken.executor.start(assignment, timeout, report)

    def _hear(self, taken: _Taken, said: Said) -> None:
        if said.event.type == "log":
            taken.known.logs.write(said.path, said.attempt, time.time_ns() // 1_000_000, said.event.data)
        else:
            self._said.append((taken.task.id, encode_said(said.event)))
            self._flush_soon()

    def _end(self, taken: _Taken, done: Done) -> None:
        log = taken.known.logs.seal(done.path, done.attempt)
        self._outcomes.append((taken.task.id, encode_outcome(done.outcome, log, self.station.values)))
        del self._taken[taken.task.id]
        self.station.slots.give()
        self._flush_soon()

    def _flush_soon(self) -> None:
        if self._soon is None:
            self._soon = asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._soon = None
        station = self.station
        wakes = []
        said, self._said = self._said, []
        handed, self._outcomes = self._outcomes, []
        if said:
            wakes += say(station.database, station.name, said)
        if handed:
            wakes += hand_in(station.database, station.name, handed)
        self._tell(dict.fromkeys(wakes))
        if handed:
            self.take()

    def _tell(self, wakes: Iterable[Wake]) -> None:
        """Runs that this worker itself holds hear of it without a detour."""
        others = []
        for wake in wakes:
            if wake.owner is not None and wake.owner.partition(":")[0] == self.station.name:
                self.heard(wake.run)
            else:
                others.append(wake)
        self.station.bell.tell(others)

    def _known_of(self, run: str) -> _Known:
        known = self._known.get(run)
        if known is None:
            station = self.station
            material = load_material(station.database, run)
            known = self._known[run] = _Known(
                PlacedRuntime(station.runtime, material, station.trees),
                ClusterLogs(station.database, station.artifacts, run),
            )
            if len(self._known) > _RUNS_KNOWN:
                self._known.popitem(last=False)
        return known
