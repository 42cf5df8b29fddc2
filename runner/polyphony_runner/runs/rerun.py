"""``polyphony rerun``: a new run that takes over what an earlier one did before a point, and goes on from there.

The point is an event (``at``), a node that is done again with all that depends on it (``start``), or what depends on
values that are set anew. The earlier run stays as it is; files outside the journal are not put back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.files import private_folder
from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.file import FileJournal, read_journal
from polyphony_runner.runs.edits import Edits, apply_edits, ceiling_of, check_edits, touched_by_inputs
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder, new_run_id
from polyphony_runner.runs.fork import Past, Redone, keep, read_past
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.session import Session
from polyphony_runner.runs.unchanged import check_unchanged, kept_digests
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class RerunRequest:
    """Where the new run begins: after the events before ``at``; with ``start`` done again; with ``edits``."""

    start: str | None = None
    at: int | None = None
    edits: Edits = field(default_factory=Edits)


def rerun(folder: RunFolder, request: RerunRequest, home: Home) -> Session:
    """Write the new run and open it. Nothing of it exists when this raises.

    PLY2751 for a node or port that the run does not have, PLY2752 for a point outside of it, PLY2753 for a value that
    does not fit, else what ``resume`` raises.
    """
    check_unchanged(folder, home)
    values = ValueStore(FolderArtifacts(home.artifacts))
    melody, record = folder.melody(), folder.record()
    past = read_past(_until(folder, request.at), RunState(melody, values))
    request = replace(request, edits=check_edits(request.edits, past))
    ceiling = ceiling_of(request.edits, past, record)
    events, point = taken_over(past, request)
    new = RunFolder(home.runs / new_run_id(time.time_ns() // 1_000_000))
    new.write(replace(record, run=new.run, ceiling=ceiling), melody)
    try:
        _write(new, _created(events, new, ceiling, point, values), values)
        _bring_logs(folder, new)
        return resume(new, home)
    except BaseException:
        shutil.rmtree(new.path, ignore_errors=True)
        raise


def _until(folder: RunFolder, at: int | None) -> list[Event]:
    events = list(read_journal(folder.journal))
    if at is None:
        return events
    if not 1 <= at <= len(events) or events[at - 1].type == "run.finished":
        raise RunError(
            "PLY2752",
            f"there is nothing to go on from at event {at} of {folder.run!r}, which has {len(events)} events",
            hint=f"polyphony journal {folder.run} numbers them; the events before the one named are kept",
        )
    return events[:at]


def taken_over(past: Past, request: RerunRequest) -> tuple[list[Event], int]:
    """The events of the new run, numbered anew, and the number of the first event that was not taken over."""
    redone, edits = Redone(past, exact=request.at is not None), request.edits
    if request.start is not None:
        if past.find(request.start) is None:
            raise RunError(
                "PLY2751",
                f"the run has no node {request.start!r} so far",
                hint=did_you_mean(request.start, past.state.nodes) or "polyphony show RUN lists its nodes",
            )
        redone.add(request.start)
    elif request.at is None and not edits:
        redone.whole.update(past.nodes)
    if request.at is None:
        for path in past.unfinished_business() - edits.nodes.keys():
            redone.add(path)
    for path in touched_by_inputs(past, edits):
        redone.add(path)
    for path, ports in edits.nodes.items():
        redone.add_after(path, ports)
    kept, point = keep(past, redone)
    edited = apply_edits(kept, edits)
    if _could_be(edited, past):
        return _numbered(edited), point
    # What was dropped carried more than its own connections: begin where the first of it stood.
    plain = [event for event in past.events[:point] if event.type != "run.finished"]
    return _numbered(apply_edits(plain, edits)), point


def _could_be(events: Sequence[Event], past: Past) -> bool:
    state = RunState(past.state.melody, past.state.reader)
    try:
        for event in _numbered(events):
            evolve(state, event)
    except (JournalError, LookupError, AssertionError):
        return False
    return True


def _numbered(events: Sequence[Event]) -> list[Event]:
    return [replace(event, seq=seq) for seq, event in enumerate(events)]


def _created(
    events: list[Event], new: RunFolder, ceiling: Mapping[str, JsonValue], point: int, values: ValueStore
) -> list[Event]:
    """The events with the first one made the new run's own."""
    first = events[0]
    parent: JsonValue = {"run": str(first.data["run"]), "seq": point}
    data = {**first.data, "run": new.run, "parent": parent, "ceiling": dict(ceiling), **kept_digests(new)}
    made = [replace(first, data=data), *events[1:]]
    return [
        replace(event, data=values.outside(event.data)) if "edited" in event.data or not event.seq else event
        for event in made
    ]


def _write(new: RunFolder, events: Sequence[Event], values: ValueStore) -> None:
    state = RunState(new.melody(), values)
    for event in events:
        evolve(state, event)  # PLY2105 rather than a journal that nobody can read
    with FileJournal(new.journal) as journal:
        journal.append(list(events))


def _bring_logs(old: RunFolder, new: RunFolder) -> None:
    """What the nodes that were taken over wrote; files of finished attempts never change, so links do."""
    if not old.logs.is_dir():
        return
    private_folder(new.logs)
    for path in old.logs.glob("*.jsonl"):
        if path.name.startswith("live-"):
            continue
        try:
            os.link(path, new.logs / path.name)
        except OSError:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(path, new.logs / path.name)
