"""Executors: what carries out started attempts. ``LocalExecutor`` does it in this process, by asyncio."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Protocol

from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Runtime, Sink

# What the runtime itself may need to end a process tree after its own limit, before we step in.
_GRACE_SECONDS = 2.0
CANCELLED = Failure("cancelled", "cancelled", retryable=False)


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt is over, its process tree dead."""

    path: str
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Said:
    """A node said something while running."""

    path: str
    attempt: int
    event: NodeEvent


@dataclass(frozen=True, slots=True)
class Lost:
    """Nobody will report about this attempt any more: the worker that had it is gone."""

    path: str
    attempt: int


Report = Callable[[Done | Said | Lost], None]


class Executor(Protocol):
    """Carries out attempts whose start is already in the journal.

    Contract: each ``start`` leads to exactly one ``Done`` (or ``Lost``) through ``report``, also when cancelled;
    ``report`` is called in the event loop's thread; nothing of an attempt is reported after its ``Done``.
    """

    def start(self, assignment: Assignment, timeout: float | None, report: Report) -> None:
        """Begin an attempt; ``timeout`` in seconds."""
        ...

    def cancel(self, path: str) -> None:
        """End the attempt of a node; nothing happens when there is none."""
        ...

    async def close(self) -> None:
        """End everything and wait for it."""
        ...


class Places(Protocol):
    """Bounds what runs at once beyond one run. Contract: who dies gives its places back."""

    async def take(self) -> Callable[[], None]:
        """Wait for a place and give what frees it."""
        ...


class LocalExecutor:
    """Attempts as tasks of this event loop; the Conductor bounds how many of its run there are, ``places`` how many of
    all runs. An attempt's time counts from when it has its place.
    """

    def __init__(self, runtime: Runtime, places: Places | None = None) -> None:
        self._runtime = runtime
        self._places = places
        self._tasks: dict[str, asyncio.Task[Outcome]] = {}

    def start(self, assignment: Assignment, timeout: float | None, report: Report) -> None:
        """Begin an attempt."""
        path, attempt, began = assignment.node, assignment.attempt, time.monotonic()

        def ended(task: asyncio.Task[Outcome]) -> None:
            # A task that is cancelled before its first step never runs at all: its end is still reported.
            outcome = CANCELLED if task.cancelled() else task.result()
            self._tasks.pop(path, None)
            report(Done(path, attempt, replace(outcome, seconds=outcome.seconds or time.monotonic() - began)))

        def sink(event: NodeEvent) -> None:
            report(Said(path, attempt, event))

        act = self._attempt if self._places is None else partial(self._placed, self._places)
        task = asyncio.get_running_loop().create_task(act(assignment, timeout, sink))
        self._tasks[path] = task
        task.add_done_callback(ended)

    def cancel(self, path: str) -> None:
        """End the attempt of a node."""
        if (task := self._tasks.get(path)) is not None:
            task.cancel()

    async def close(self) -> None:
        """End everything and wait for it."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._runtime.close()

    async def _placed(
        self, places: Places, assignment: Assignment, timeout: float | None, sink: Sink
    ) -> Outcome:
        asked = time.monotonic()
        try:
            leave = await places.take()
        except asyncio.CancelledError:
            return CANCELLED
        try:
            if assignment.deadline is not None:
                waited = timedelta(seconds=time.monotonic() - asked)
                assignment = replace(assignment, deadline=assignment.deadline + waited)
            return await self._attempt(assignment, timeout, sink)
        finally:
            leave()

    async def _attempt(self, assignment: Assignment, timeout: float | None, sink: Sink) -> Outcome:
        try:
            if timeout is None:
                return await self._runtime.run(assignment, sink)
            async with asyncio.timeout(timeout + _GRACE_SECONDS * (timeout > 0)):
                return await self._runtime.run(assignment, sink)
        except TimeoutError:
            return Failure("timeout", f"took longer than {timeout:g} s")
        except asyncio.CancelledError:
            return CANCELLED
        except Exception as error:  # noqa: BLE001  # a bug of a runtime must end its node, not the run
            return Failure("internal", f"{type(error).__name__}: {error}", retryable=False)
