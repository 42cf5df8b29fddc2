"""Where a journal shares its commits: nothing is started, and nobody is told, before a commit is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal.errors import JournalConflictError
from polyphony_runner.journal.protocol import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Sink
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject
from support.conductor_graphs import Player, compiled, work

CHAIN = compiled({"a": work(), "b": work(), "c": work()}, ["a -> b", "b -> c"])


class LateJournal(MemoryJournal):
    """What was appended is durable only after ``settled``; the commit number ``fails`` is refused."""

    def __init__(self, fails: int | None = None) -> None:
        super().__init__()
        self.durable: set[tuple[str | None, str]] = set()
        self._commits: Iterator[bool] = iter([number == fails for number in range(1, 100)])

    async def settled(self) -> None:
        """A commit, unless there is nothing to commit."""
        now: set[tuple[str | None, str]] = {(event.node, event.type) for event in self.events()}
        if now != self.durable:
            if next(self._commits):
                raise JournalConflictError("PLY2101", "the lease was lost", hint="none")
            self.durable = now


def conducted(
    player: Player, journal: LateJournal
) -> tuple[Conductor, list[str], list[tuple[str, str | None]]]:
    """A Conductor, what it starts, and what its observer hears; each is checked to be durable."""
    started: list[str] = []
    told: list[tuple[str, str | None]] = []

    def node(assignment: Assignment, sink: Sink) -> JsonObject:
        del sink
        assert (assignment.node, "node.started") in journal.durable
        started.append(assignment.node)
        return {}

    def observer(event: Event, state: RunState) -> None:
        del state
        assert (event.node, event.type) in journal.durable
        told.append((event.type, event.node))

    conductor = player.conductor(CHAIN, {"*": node}, journal)
    conductor.settled, conductor.observer = journal.settled, observer
    player.begin(conductor, {})
    return conductor, started, told


async def to_the_end(conductor: Conductor) -> None:
    try:
        await conductor.run()
    finally:
        await conductor.executor.close()


def test_every_start_and_every_word_to_the_observer_follows_its_commit(tmp_path: Path) -> None:
    journal = LateJournal()
    conductor, started, told = conducted(Player(tmp_path), journal)
    asyncio.run(to_the_end(conductor))
    assert started == ["a", "b", "c"]
    assert told == [(event.type, event.node) for event in journal.events()]
    assert told[-1] == ("run.finished", None)


def test_what_a_refused_commit_held_is_neither_started_nor_told(tmp_path: Path) -> None:
    conductor, started, told = conducted(Player(tmp_path), LateJournal(fails=2))
    with pytest.raises(JournalConflictError):
        asyncio.run(to_the_end(conductor))
    assert started == ["a"]
    assert told[-1] == ("node.started", "a")
