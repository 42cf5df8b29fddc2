"""A cluster's run as a folder of this home, so that every verb that reads a run reads this one too.

Lines are copied as they were written, each only once, the chain checked at the joint; values, logs and the signed
head come along. ``cluster.json`` marks the folder and says how far the copy goes: nothing ever executes from it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_runner.artifacts.store import ArtifactStore, FolderArtifacts
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.journal import check_chain, no_run, read_lines
from polyphony_runner.files import exclusive, private_folder, write_atomic
from polyphony_runner.home import Home
from polyphony_runner.runs.folder import CLUSTER_MARK, RunFolder
from polyphony_schemas.journal import FIRST_PREV, Event, line_digest


@dataclass(frozen=True, slots=True)
class _Copied:
    """How far the copy goes: number and digest of what comes next, bytes of the file."""

    next_seq: int = 0
    head: str = FIRST_PREV
    size: int = 0


class Mirror:
    """The copy of one run; ``refresh`` brings what came since."""

    def __init__(self, database: Database, artifacts: ArtifactStore, home: Home, run: str) -> None:
        self.folder = RunFolder(home.runs / run)
        self._database = database
        self._shared = artifacts
        self._own = FolderArtifacts(home.artifacts)

    def refresh(self) -> None:
        """Copy what is new; PLY2704 when the cluster has no such run, PLY2103 when it does not follow the copy."""
        self._begin()
        with exclusive(self.folder.path / "mirror.lock"):
            copied = self._copied()
            lines = [line for _, line in read_lines(self._database, self.folder.run, copied.next_seq)]
            for event in check_chain(self.folder.run, lines, copied.next_seq, copied.head):
                self._fetch(event)
            self._append(copied, lines)

    def fetch_head(self) -> None:
        """Copy the signed head, where there is one."""
        rows = self._database.rows("SELECT signature FROM materials WHERE run = %s", (self.folder.run,))
        if rows and rows[0][0] is not None:
            write_atomic(self.folder.head, str(rows[0][0]).encode())

    def fetch_live_logs(self) -> None:
        """Write what attempts that are not over wrote so far as live log files."""
        rows = self._database.rows(
            "SELECT node, attempt, min(id), string_agg(body, '' ORDER BY id) FROM log_parts WHERE run = %s "
            "GROUP BY node, attempt",
            (self.folder.run,),
        )
        private_folder(self.folder.logs)
        live = {self.folder.logs / f"live-{number}.jsonl": str(body) for _, _, number, body in rows}
        for path, body in live.items():
            write_atomic(path, body.encode())
        for path in set(self.folder.logs.glob("live-*.jsonl")) - live.keys():
            path.unlink(missing_ok=True)

    def _begin(self) -> None:
        if self.folder.of_cluster:
            return
        rows = self._database.rows("SELECT record, graph FROM materials WHERE run = %s", (self.folder.run,))
        if not rows:
            raise no_run(self.folder.run)
        private_folder(self.folder.path)
        write_atomic(self.folder.path / "run.json", str(rows[0][0]).encode())
        write_atomic(self.folder.path / "graph.json", str(rows[0][1]).encode())
        self._mark(_Copied())

    def _copied(self) -> _Copied:
        document = json.loads((self.folder.path / CLUSTER_MARK).read_bytes())
        copied = _Copied(document["next_seq"], document["head"], document["size"])
        size = self.folder.journal.stat().st_size if self.folder.journal.exists() else 0
        if size == copied.size:
            return copied
        # Somebody died between the lines and the mark, or touched the copy: begin anew.
        self.folder.journal.unlink(missing_ok=True)
        return _Copied()

    def _append(self, copied: _Copied, lines: list[bytes]) -> None:
        if not lines and self.folder.journal.exists():
            return
        data = b"".join(line + b"\n" for line in lines)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(self.folder.journal, flags, 0o600), "ab") as stream:
            stream.write(data)
        head = line_digest(lines[-1]) if lines else copied.head
        self._mark(_Copied(copied.next_seq + len(lines), head, copied.size + len(data)))

    def _mark(self, copied: _Copied) -> None:
        document = {"next_seq": copied.next_seq, "head": copied.head, "size": copied.size}
        write_atomic(self.folder.path / CLUSTER_MARK, json.dumps(document).encode() + b"\n")

    def _fetch(self, event: Event) -> None:
        """Bring the values and the log that an event names by digest."""
        stored = event.data.get("stored")
        for reference in stored.values() if isinstance(stored, Mapping) else ():
            if isinstance(reference, Mapping) and not self._own.has(digest := str(reference["digest"])):
                self._own.put_bytes(self._shared.read(digest))
        log = event.data.get("log")
        if isinstance(log, Mapping):
            path = private_folder(self.folder.logs) / f"{log['digest']}.jsonl"
            if not path.exists():
                write_atomic(path, self._shared.read(str(log["digest"])))
