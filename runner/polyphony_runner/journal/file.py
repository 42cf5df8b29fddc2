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
        torn = _torn(self._descriptor)
        if torn:
            os.ftruncate(self._descriptor, os.fstat(self._descriptor).st_size - torn)
            os.fsync(self._descriptor)
        return torn

    def _scan(self) -> tuple[int, str, int]:
        count, head = 0, FIRST_PREV
        for _, line_head in read_lines(self._path):
            count, head = count + 1, line_head
        return count, head, os.fstat(self._descriptor).st_size


def torn_bytes(path: Path) -> int:
    """The length of an incomplete last line, 0 when the last line is whole."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _torn(descriptor)
    finally:
        os.close(descriptor)


def _torn(descriptor: int) -> int:
    size = end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - 65536)
        found = os.pread(descriptor, end - start, start).rfind(b"\n")
        if found >= 0:
            return size - (start + found + 1)
        end = start
    return size


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
            event, prev = check_line(line[:-1], seq, prev, path.name)
            yield event, prev


def check_line(line: bytes, seq: int, prev: str, name: str) -> tuple[Event, str]:
    """The event of a line that must be number ``seq`` after the digest ``prev``, and its own digest; PLY2103."""
    try:
        event, named = decode_line(line)
    except FormatError as error:
        raise _broken(seq, name, f"is no event: {error.message}") from None
    if event.seq != seq:
        raise _broken(seq, name, f"has number {event.seq}: lines were removed, added or moved")
    if named != prev:
        what = (
            f"event {seq - 1} was changed after it was written" if seq else "it is not the first of a chain"
        )
        raise _broken(seq, name, f"breaks the chain: {what}")
    return event, line_digest(line)


def _broken(seq: int, name: str, what: str) -> JournalError:
    """PLY2103 with the number of the event at which a journal stops making sense."""
    return JournalError(
        "PLY2103",
        f"event {seq} (line {seq + 1} of {name}) {what}",
        hint="the journal was changed; restore it from a copy",
        details={"seq": seq},
    )
