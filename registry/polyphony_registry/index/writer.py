"""Writes ``index/OWNER/NAME.jsonl``, ``namespace/OWNER.jsonl`` and ``changes.jsonl`` from the records."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.log.models import Record
from polyphony_registry.published import write_file
from polyphony_schemas.trust.index import encode_line
from polyphony_schemas.trust.records import NamedRecord, parse_record

_TAIL = 8 * 1024


class IndexWriter:
    """Files below ``published``; every call writes what the records of the session say."""

    def __init__(self, published: Path) -> None:
        self._published = published

    def write(self, session: Session, name: str) -> None:
        """Write the history of one package or namespace."""
        rows = session.scalars(select(Record).where(Record.name == name).order_by(Record.index))
        write_file(self._path(name), b"".join(_line(row) for row in rows))

    def extend_changes(self, session: Session, size: int) -> None:
        """Bring the feed up to the records below ``size``: appended, a torn last line is mended first."""
        path = self._published / "changes.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b") as file:
            last = _mend(file.fileno())
            rows = session.execute(
                select(Record.index, Record.name)
                .where(Record.index > last, Record.index < size, Record.name.is_not(None))
                .order_by(Record.index)
            )
            file.write(
                b"".join(b'{"i":%d,"name":%s}\n' % (index, json.dumps(name).encode()) for index, name in rows)
            )
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o644)

    def _path(self, name: str) -> Path:
        folder = "index" if "/" in name else "namespace"
        return self._published / folder / f"{name}.jsonl"


def _line(row: Record) -> bytes:
    return encode_line(row.index, cast("NamedRecord", parse_record(row.body)), row.hints)


def _mend(handle: int) -> int:
    """Cut a torn last line off and give the index of the last whole one, -1 without any."""
    size = os.fstat(handle).st_size
    start = max(0, size - _TAIL)
    tail = os.pread(handle, size - start, start)
    whole = tail[: tail.rfind(b"\n") + 1]
    if len(whole) < len(tail):
        os.ftruncate(handle, start + len(whole))
    lines = whole.splitlines()
    return int(json.loads(lines[-1])["i"]) if lines else -1
