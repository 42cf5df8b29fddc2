"""Reading a journal piece by piece while somebody writes it: each call gives what came since the last one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.journal.file import check_line
from polyphony_schemas.journal import FIRST_PREV, Event


@dataclass(slots=True)
class JournalTail:
    """The place up to which a journal was read; chain and numbers are checked on the way (PLY2103)."""

    path: Path
    next_seq: int = 0
    _prev: str = FIRST_PREV
    _offset: int = 0

    def new(self) -> Iterator[Event]:
        """The events that are there and were not given yet; an incomplete last line is left for later."""
        try:
            stream = self.path.open("rb")
        except FileNotFoundError:
            return
        with stream:
            stream.seek(self._offset)
            for line in stream:
                if not line.endswith(b"\n"):
                    return
                event, self._prev = check_line(line[:-1], self.next_seq, self._prev, self.path.name)
                self.next_seq += 1
                self._offset += len(line)
                yield event
