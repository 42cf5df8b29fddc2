"""Reading the logs of a run in the order of its journal, and following them while it goes on.

How far the log of an attempt was read is kept by node and attempt: while the attempt runs its lines stand in a
``live-*`` file, afterwards the same bytes stand in the file that its last event names.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.journal.file import is_held
from polyphony_runner.journal.tail import JournalTail
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.logs import live_logs
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject

_PAUSE = 0.1


def read_logs(folder: RunFolder, node: str | None) -> Iterator[JsonObject]:
    """Every line written so far, of finished attempts first; ``node`` takes what is inside it along."""
    yield from _Reader(folder, node).new()


def follow_logs(
    folder: RunFolder, node: str | None, executed: Callable[[], bool] | None = None
) -> Iterator[JsonObject]:
    """As ``read_logs``, then what comes, until the run is over or no process executes it any more.

    ``executed`` says whether one does where that is not to be seen on this machine.
    """
    reader = _Reader(folder, node)
    while True:
        held = is_held(folder.journal) if executed is None else executed()
        yield from reader.new()
        if reader.over or not held:
            return
        time.sleep(_PAUSE)


@dataclass(slots=True)
class _Reader:
    """What of the logs was given. Nothing is held but a number for each attempt that wrote."""

    folder: RunFolder
    node: str | None
    over: bool = False
    _tail: JournalTail = field(init=False)
    _given: dict[tuple[str, int], int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._tail = JournalTail(self.folder.journal)

    def new(self) -> Iterator[JsonObject]:
        """The lines that came since the last call; journal, live files, and what was sealed in between."""
        yield from self._sealed()
        for path in live_logs(self.folder.logs):
            if (owner := _owner(path)) is not None and _wanted(owner[0], self.node):
                yield from self._rest(path, owner)
        yield from self._sealed()

    def _sealed(self) -> Iterator[JsonObject]:
        for event in self._tail.new():
            self.over = self.over or event.type == "run.finished"
            log = event.data.get("log")
            if isinstance(log, Mapping) and _wanted(event.node, self.node):
                owner = _owner_of(event)
                yield from self._rest(self.folder.logs / f"{log['digest']}.jsonl", owner)
                self._given.pop(owner, None)

    def _rest(self, path: Path, owner: tuple[str, int]) -> Iterator[JsonObject]:
        """The whole lines after what was given of this attempt's log."""
        try:
            stream = path.open("rb")
        except FileNotFoundError:  # sealed meanwhile: the journal names it soon
            return
        with stream:
            stream.seek(self._given.get(owner, 0))
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                self._given[owner] = self._given.get(owner, 0) + len(line)
                if (entry := _entry(line)) is not None:
                    yield entry


def _owner(path: Path) -> tuple[str, int] | None:
    """Node and attempt that write a live file, as its first line says."""
    try:
        with path.open("rb") as stream:
            entry = _entry(stream.readline())
    except FileNotFoundError:
        return None
    if entry is None:
        return None
    return str(entry.get("node")), int(str(entry.get("attempt", 0)))


def _owner_of(event: Event) -> tuple[str, int]:
    return event.node or "", event.attempt or 0


def _entry(line: bytes) -> JsonObject | None:
    """The entry of a line; None for one that was torn when the disk was full or the machine fell."""
    try:
        entry = json.loads(line)
    except ValueError:
        return None
    return entry if isinstance(entry, Mapping) else None


def _wanted(path: str | None, node: str | None) -> bool:
    return node is None or path == node or (path or "").startswith((f"{node}/", f"{node}["))
