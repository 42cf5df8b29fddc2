"""The journal of one run in one file: JSON lines, one writer by lock, every append synced to the disk.

A crash can leave an incomplete last line; it has no LF, so whoever opens the file to write cuts it off and says so
(``cut``). Anything else that breaks the chain is damage, never repaired silently.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from polyphony_runner.journal.errors import JournalConflictError, JournalError
from polyphony_runner.journal.protocol import chain, check_next
from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, line_digest

_LOCK_TRIES = 5
_LOCK_PAUSE = 0.02


class FileJournal:
    """A journal opened for writing. ``cut`` is the number of bytes of a torn last line that were removed."""

    def __init__(self, path: Path) -> None:
        """Open ``path``, made when missing (0600), and lock it; PLY2102 when another process holds it."""
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._path = path
        self._descriptor = os.open(path, flags, 0o600)
        try:
            self._lock()
            self.cut = self._cut_torn_line()
            self._next_seq, self._head, self._size = self._scan()
        except BaseException:
            os.close(self._descriptor)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def next_seq(self) -> int:
        """The ``seq`` the next event must have."""
        return self._next_seq

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self._head

    def events(self) -> Iterator[Event]:
        """All events from the first on, the chain checked."""
        return read_journal(self._path)

    def append(self, events: Sequence[Event]) -> None:
        """Write and sync; PLY2101 when the file or the numbers are not what this writer left, PLY2106 when it cannot."""
        check_next(events, self._next_seq)
        if os.fstat(self._descriptor).st_size != self._size:
            raise JournalConflictError("PLY2101", f"{self._path.name} was written by somebody else")
        lines, head = chain(events, self._head)
        data = b"".join(line + b"\n" for line in lines)
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._descriptor, view) :]
            os.fdatasync(self._descriptor)
        except OSError as error:
            # What was written of it is a torn line at worst; this writer appends nothing more.
            self._size = -1
            raise JournalError(
                "PLY2106",
                f"the journal cannot be written: {error.strerror}",
                hint=f"make room, then polyphony resume {self._path.parent.name}",
            ) from error
        self._head = head
        self._next_seq += len(events)
        self._size += len(data)

    def close(self) -> None:
        """Release the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _lock(self) -> None:
        for _ in range(_LOCK_TRIES):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(_LOCK_PAUSE)  # somebody may only be asking whether the run is alive
            else:
                return
        raise JournalError(
            "PLY2102",
            f"the run {self._path.parent.name!r} is being executed by another process",
            hint=f"polyphony cancel {self._path.parent.name} stops it there",
        )

    def _cut_torn_line(self) -> int:
        size = os.fstat(self._descriptor).st_size
        end = size
        while end > 0:
            start = max(0, end - 65536)
            found = os.pread(self._descriptor, end - start, start).rfind(b"\n")
            if found >= 0:
                end = start + found + 1
                break
            end = start
        if end != size:
            os.ftruncate(self._descriptor, end)
            os.fsync(self._descriptor)
        return size - end

    def _scan(self) -> tuple[int, str, int]:
        count, head = 0, FIRST_PREV
        for _, line_head in read_lines(self._path):
            count, head = count + 1, line_head
        return count, head, os.fstat(self._descriptor).st_size


def is_held(path: Path) -> bool:
    """Whether a living process has this journal open for writing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def read_journal(path: Path) -> Iterator[Event]:
    """The events of a journal, whoever writes it; an incomplete last line is left out. PLY2103 for damage."""
    for event, _ in read_lines(path):
        yield event


def read_lines(path: Path) -> Iterator[tuple[Event, str]]:
    """Each event with the digest of its line; numbers and chain checked."""
    prev = FIRST_PREV
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise JournalError(
            "PLY2104", f"no journal at {str(path)!r}", hint="polyphony runs lists them"
        ) from None
    with stream:
        for seq, line in enumerate(stream):
            if not line.endswith(b"\n"):
                return
            event, named = _decode(line[:-1], f"line {seq + 1} of {path.name}")
            if event.seq != seq or named != prev:
                what = f"number {event.seq}" if event.seq != seq else "a broken chain"
                raise JournalError(
                    "PLY2103",
                    f"line {seq + 1} of {path.name} has {what}, expected {seq} after {prev[:12]}…",
                    hint="the journal was changed; restore it from a copy",
                )
            prev = line_digest(line[:-1])
            yield event, prev


def _decode(line: bytes, where: str) -> tuple[Event, str]:
    try:
        return decode_line(line)
    except FormatError as error:
        raise JournalError(
            "PLY2103", f"{where}: {error.message}", hint="the journal was changed; restore it from a copy"
        ) from None
