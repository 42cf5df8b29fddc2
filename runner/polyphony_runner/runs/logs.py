"""What nodes wrote: one file of JSON lines for each attempt, named by its digest once the attempt is over.

While an attempt runs its file is ``live-<number>.jsonl``, the first line says whose it is. The event that ends the
attempt carries ``log: {"digest","lines","bytes"}``; a run without a word has no file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from polyphony_runner.files import private_folder
from polyphony_schemas.journal import format_time
from polyphony_schemas.values import JsonObject, JsonValue

# What one attempt may write before the rest is dropped, with a word about it.
MAX_BYTES = 16 << 20


@dataclass(slots=True)
class _Open:
    path: Path
    stream: BinaryIO
    lines: int = 0
    size: int = 0


class Logs(Protocol):
    """Where the Conductor puts what nodes write."""

    def write(self, node: str, attempt: int, at_ms: int, entry: JsonObject) -> None:
        """Add a line."""
        ...

    def seal(self, node: str, attempt: int) -> dict[str, JsonValue] | None:
        """The attempt is over: the mark of its log (``digest lines bytes``), None when nothing was written."""
        ...

    def close(self) -> None:
        """Close what is still open."""
        ...


class RunLogs:
    """Writes the log files of one run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[tuple[str, int], _Open] = {}
        self._number = 0

    def write(self, node: str, attempt: int, at_ms: int, entry: JsonObject) -> None:
        """Add a line: time, node, attempt, level and message."""
        log = self._open.get((node, attempt)) or self._begin(node, attempt)
        mark: JsonObject = {"at": format_time(at_ms), "node": node, "attempt": attempt}
        line = log_line({**mark, **entry})
        if log.size + len(line) > MAX_BYTES:
            if log.size <= MAX_BYTES:
                log.size = MAX_BYTES + 1
                told = {"level": "warning", "message": f"more than {MAX_BYTES} bytes: the rest is dropped"}
                log.stream.write(log_line({**mark, **told}))
                log.lines += 1
            return
        log.stream.write(line)
        log.lines += 1
        log.size += len(line)

    def seal(self, node: str, attempt: int) -> dict[str, JsonValue] | None:
        """The attempt is over: its file gets the name of its content. None when nothing was written."""
        log = self._open.pop((node, attempt), None)
        if log is None:
            return None
        log.stream.close()
        with log.path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            size = stream.tell()
        log.path.rename(self._folder / f"{digest}.jsonl")
        return {"digest": digest, "lines": log.lines, "bytes": size}

    def close(self) -> None:
        """Close what is still open; the files keep their names."""
        for log in self._open.values():
            log.stream.close()
        self._open.clear()

    def _begin(self, node: str, attempt: int) -> _Open:
        private_folder(self._folder)
        while True:
            self._number += 1
            path = self._folder / f"live-{self._number}.jsonl"
            if not path.exists():
                break
        log = self._open[node, attempt] = _Open(path, path.open("xb", buffering=0))
        return log


def read_log(folder: Path, digest: str) -> Iterator[JsonObject]:
    """The lines of one finished attempt."""
    return _entries(folder / f"{digest}.jsonl")


def live_logs(folder: Path) -> list[Path]:
    """The files of attempts that are not over, or whose Conductor was killed; in the order they began."""
    return sorted(folder.glob("live-*.jsonl"), key=lambda path: int(path.stem.removeprefix("live-")))


def _entries(path: Path) -> Iterator[JsonObject]:
    if not path.exists():
        return
    with path.open("rb") as stream:
        for line in stream:
            if line.endswith(b"\n"):
                yield json.loads(line)


def log_line(entry: JsonObject) -> bytes:
    """One line of a log file, LF included."""
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"
