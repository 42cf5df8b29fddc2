"""Reading the logs of a run in the order of its journal, and following them while it goes on."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from polyphony_runner.journal.file import is_held, read_journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.logs import live_logs, read_log
from polyphony_schemas.values import JsonObject

_PAUSE = 0.1


def read_logs(folder: RunFolder, node: str | None) -> Iterator[JsonObject]:
    """Every line written so far, of finished attempts first; ``node`` takes what is inside it along."""
    for event in read_journal(folder.journal):
        log = event.data.get("log")
        if isinstance(log, Mapping) and _wanted(event.node, node):
            yield from read_log(folder.logs, str(log["digest"]))
    for path in live_logs(folder.logs):
        yield from (entry for entry in _lines(path, 0)[0] if _wanted(str(entry.get("node")), node))


def follow_logs(
    folder: RunFolder, node: str | None, executed: Callable[[], bool] | None = None
) -> Iterator[JsonObject]:
    """As ``read_logs``, then what comes, until no process executes the run any more.

    ``executed`` says whether one does where that is not to be seen on this machine.
    """
    seen: set[str] = set()
    offsets: dict[Path, int] = {}
    while True:
        held = is_held(folder.journal) if executed is None else executed()
        yield from _new_lines(folder, node, seen, offsets)
        if not held:
            return
        time.sleep(_PAUSE)


def _new_lines(
    folder: RunFolder, node: str | None, seen: set[str], offsets: dict[Path, int]
) -> Iterator[JsonObject]:
    for path in live_logs(folder.logs):
        entries, offsets[path] = _lines(path, offsets.get(path, 0))
        yield from (entry for entry in entries if _wanted(str(entry.get("node")), node))
    for event in read_journal(folder.journal):
        log = event.data.get("log")
        if not isinstance(log, Mapping) or str(log["digest"]) in seen:
            continue
        seen.add(str(log["digest"]))
        entries, _ = _lines(folder.logs / f"{log['digest']}.jsonl", 0)
        already = _already(entries, offsets)
        yield from (entry for entry in entries[already:] if _wanted(event.node, node))


def _already(entries: list[JsonObject], offsets: dict[Path, int]) -> int:
    """How many lines of a sealed log were shown while it was live: its live file is gone, its offset is not."""
    for path, offset in list(offsets.items()):
        if path.exists() or not entries:
            continue
        size = 0
        for count, entry in enumerate(entries, start=1):
            size += len(json.dumps(entry, separators=(",", ":"))) + 1
            if size == offset:
                del offsets[path]
                return count
    return 0


def _lines(path: Path, offset: int) -> tuple[list[JsonObject], int]:
    try:
        with path.open("rb") as stream:
            stream.seek(offset)
            data = stream.read()
    except FileNotFoundError:
        return [], offset
    whole = data.rfind(b"\n") + 1
    return [json.loads(line) for line in data[:whole].splitlines()], offset + whole


def _wanted(path: str | None, node: str | None) -> bool:
    return node is None or path == node or (path or "").startswith((f"{node}/", f"{node}["))
