"""``polyphony runs``: what each run folder says at its two ends, without replaying its journal."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder, all_runs, made_at
from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import Event, decode_line, format_time


@dataclass(frozen=True, slots=True)
class ListedRun:
    """One line of ``polyphony runs``.

    ``halted`` also stands for a run whose process died; ``unreadable`` for a folder that is damaged or holds no
    event, and ``problem`` says why.
    """

    run: str
    name: str
    status: str
    started: str
    seconds: float | None
    local: bool
    problem: str | None = None

    def to_json(self) -> dict[str, object]:
        """The object of ``runs --json``."""
        return {
            "run": self.run,
            "name": self.name,
            "status": self.status,
            "started": self.started,
            "seconds": self.seconds,
            "local": self.local,
            "problem": self.problem,
        }


def list_runs(home: Home, limit: int | None = None) -> list[ListedRun]:
    """The newest runs first."""
    return [_listed(folder, home) for folder in islice(all_runs(home.runs), limit)]


def _listed(folder: RunFolder, home: Home) -> ListedRun:
    try:
        return _readable(folder, home)
    except RunError as error:
        return ListedRun(folder.run, "", "unreadable", "", None, local=False, problem=error.message)


def _status_of(folder: RunFolder, home: Home) -> str:
    """``running``, or ``waiting`` when nothing can go on without a person, a signal or time: only the whole journal says."""
    from polyphony_runner.runs.session import load_state

    return load_state(folder, home).status


def _readable(folder: RunFolder, home: Home) -> ListedRun:
    record = folder.record()
    try:
        held = is_held(folder.journal)
        found = ends(folder.journal)
    except (OSError, FormatError) as error:
        raise folder.unreadable(f"journal.jsonl: {error}") from error
    if found is None:
        if not held:
            raise folder.unreadable("it was ended before its first event")
        return ListedRun(folder.run, record.name, "running", "", None, record.local)
    first, last = found
    executed = held or (folder.of_cluster and last.type != "run.halted")
    status = _status_of(folder, home) if executed else "halted"
    if last.type == "run.finished":
        status = str(last.data.get("status"))
    # what a rerun took over keeps its times
    started = made_at(folder.run) if "parent" in first.data else first.at_ms
    seconds = max(0.0, round((last.at_ms - started) / 1000, 3))
    return ListedRun(folder.run, record.name, status, format_time(started), seconds, record.local)


def ends(journal: Path) -> tuple[Event, Event] | None:
    """The first and the last whole line, None without one; FormatError for one that is no event."""
    try:
        with journal.open("rb") as stream:
            first = stream.readline()
            size = stream.seek(0, os.SEEK_END)
            tail, end = b"", size
            while end > 0 and tail.count(b"\n") < 2:
                start = max(0, end - 65536)
                stream.seek(start)
                tail = stream.read(end - start) + tail
                end = start
    except FileNotFoundError:
        return None
    lines = tail.split(b"\n")[:-1]
    if not lines:
        return None
    return decode_line(first.rstrip(b"\n"))[0], decode_line(lines[-1])[0]
