"""What nodes write, in a cluster: rows while an attempt runs, an artifact named by its digest afterwards.

The worker that executes an attempt collects its lines, shows them to others about once a second, and keeps the whole
among the artifacts when it is over; the event that ends the attempt carries the same mark as in a local run.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from polyphony_runner.artifacts.store import ArtifactStore
from polyphony_runner.cluster.database import Database
from polyphony_runner.runs.logs import MAX_BYTES, log_line
from polyphony_schemas.journal import format_time
from polyphony_schemas.values import JsonObject, JsonValue

Mark = dict[str, JsonValue]


@dataclass(slots=True)
class _Open:
    lines: list[bytes] = field(default_factory=list)
    size: int = 0
    shown: int = 0


class ClusterLogs:
    """The logs of one run's attempts that this worker executes, and the marks of those others executed."""

    def __init__(self, database: Database, artifacts: ArtifactStore, run: str) -> None:
        self._database = database
        self._artifacts = artifacts
        self._run = run
        self._open: dict[tuple[str, int], _Open] = {}
        self._sealed: dict[tuple[str, int], Mark] = {}

    def write(self, node: str, attempt: int, at_ms: int, entry: JsonObject) -> None:
        """Add a line: time, node, attempt, level and message."""
        log = self._open.setdefault((node, attempt), _Open())
        if log.size > MAX_BYTES:
            return
        line = log_line({"at": format_time(at_ms), "node": node, "attempt": attempt, **entry})
        if log.size + len(line) > MAX_BYTES:
            log.size = MAX_BYTES + 1
            line = log_line(
                {"level": "warning", "message": f"more than {MAX_BYTES} bytes: the rest is dropped"}
            )
        else:
            log.size += len(line)
        log.lines.append(line)

    def sealed_elsewhere(self, node: str, attempt: int, mark: Mark | None) -> None:
        """Remember the mark that another worker gave the log of an attempt."""
        if mark is not None:
            self._sealed[node, attempt] = mark

    def seal(self, node: str, attempt: int) -> Mark | None:
        """The attempt is over: its lines become an artifact. None when nothing was written."""
        log = self._open.pop((node, attempt), None)
        if log is None:
            return self._sealed.pop((node, attempt), None)
        data = b"".join(log.lines)
        kept = self._artifacts.put_bytes(data)
        if log.shown:
            self._database.rows(
                "DELETE FROM log_parts WHERE run = %s AND node = %s AND attempt = %s",
                (self._run, node, attempt),
            )
        return {"digest": kept.digest, "lines": len(log.lines), "bytes": len(data)}

    def show(self) -> None:
        """Let others see what was written since the last time."""
        for (node, attempt), log in self._open.items():
            if log.shown < len(log.lines):
                part = b"".join(log.lines[log.shown :]).decode("ascii")
                log.shown = len(log.lines)
                self._database.rows(
                    "INSERT INTO log_parts (run, node, attempt, body) VALUES (%s, %s, %s, %s)",
                    (self._run, node, attempt, part),
                )

    def close(self) -> None:
        """Forget what is still open: its attempt counts for nothing any more."""
        self._open.clear()
