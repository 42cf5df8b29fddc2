"""What the Conductor asks of a journal, and the journal in memory that tests hand in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from polyphony_runner.journal.errors import JournalConflictError
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, encode_line, line_digest


class Journal(Protocol):
    """One run's journal, opened by its one writer.

    Contract: ``append`` is compare-and-append: it takes consecutive events whose first ``seq`` must be the
    journal's next (else PLY2101 and nothing is written), and they are durable when it returns; whoever appends
    second loses. ``events`` gives everything appended so far, in order. ``head`` is the digest of the last line.
    """

    @property
    def next_seq(self) -> int:
        """The ``seq`` the next event must have."""
        ...

    @property
    def head(self) -> str:
        """The digest of the last line, 64 zeros when there is none."""
        ...

    def events(self) -> Iterator[Event]:
        """All events from the first on; the chain is checked on the way (PLY2103)."""
        ...

    def append(self, events: Sequence[Event]) -> None:
        """Add events, all or none visible to a reader that checks the chain, durable on return."""
        ...

    def close(self) -> None:
        """Give the journal up; another writer may open it."""
        ...


class MemoryJournal:
    """A journal that is gone with its process."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []
        self._head = FIRST_PREV

    @property
    def next_seq(self) -> int:
        """The ``seq`` the next event must have."""
        return len(self._lines)

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self._head

    def events(self) -> Iterator[Event]:
        """All events from the first on."""
        for line in tuple(self._lines):
            yield decode_line(line)[0]

    def append(self, events: Sequence[Event]) -> None:
        """Add events."""
        check_next(events, self.next_seq)
        lines, head = chain(events, self._head)
        self._lines += lines
        self._head = head

    def close(self) -> None:
        """Nothing to give up."""


def check_next(events: Sequence[Event], next_seq: int) -> None:
    """Raise PLY2101 unless the events continue at ``next_seq`` without a gap."""
    for offset, event in enumerate(events):
        if event.seq != next_seq + offset:
            raise JournalConflictError(
                "PLY2101",
                f"the journal goes on at {next_seq + offset}, the event says {event.seq}",
                hint="another process continued this run; look with polyphony show RUN",
            )


def chain(events: Sequence[Event], head: str) -> tuple[list[bytes], str]:
    """The lines (without LF) of the events after ``head``, and the new head."""
    lines: list[bytes] = []
    for event in events:
        line = encode_line(event, head)
        head = line_digest(line)
        lines.append(line)
    return lines, head
