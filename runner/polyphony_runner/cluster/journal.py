"""The journal of one run in PostgreSQL: lines as text, one row each, appended by whoever holds the run's lease.

One statement does an append: it checks that the lease is still this owner's and the next number still the expected
one, moves the end of the journal, renews the lease, removes the messages that are journaled now, and inserts the
lines. All of it happens or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from polyphony_runner.cluster.database import Database, Row
from polyphony_runner.cluster.errors import ClusterError, LeaseLostError
from polyphony_runner.journal.errors import JournalConflictError, JournalError
from polyphony_runner.journal.protocol import chain, check_next
from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, line_digest

if TYPE_CHECKING:
    from psycopg import Connection

_PAGE = 2000
_APPEND = """
WITH mine AS (
  UPDATE runs SET next_seq = %(next)s, head = %(head)s, changed_at = now(),
    until = now() + make_interval(secs => %(lease)s), due = NULL,
    status = coalesce(%(status)s, CASE WHEN status = 'waiting' THEN 'running' ELSE status END)
  WHERE run = %(run)s AND owner = %(owner)s AND next_seq = %(seq)s
  RETURNING run
){read}
INSERT INTO journal (run, seq, type, node, attempt, line)
SELECT mine.run, %(seq)s + given.number - 1, given.type, given.node, given.attempt, given.line
FROM mine, unnest(%(types)b::text[], %(nodes)s::text[], %(attempts)s::integer[], %(lines)b::text[])
  WITH ORDINALITY AS given (type, node, attempt, line, number)
"""
_PLAIN = _APPEND.format(read="")
_READ = _APPEND.format(
    read=""", read AS (
  DELETE FROM messages WHERE id = ANY(%(messages)s) AND EXISTS (SELECT FROM mine)
)"""
)


class PgJournal:
    """A run's journal held by ``owner``. ``lease`` in seconds. ``next_seq`` and ``head`` are this holder's view."""

    def __init__(self, database: Database, run: str, owner: str, lease: float) -> None:
        """Open the journal of a run whose lease ``owner`` holds; PLY2710 when somebody else does."""
        self._database = database
        self._run = run
        self._owner = owner
        self._lease = lease
        self.read_messages: list[int] = []
        rows = database.rows("SELECT owner, next_seq, head FROM runs WHERE run = %s", (run,))
        if not rows:
            raise no_run(run)
        if rows[0][0] != owner:
            raise LeaseLostError(run, rows[0][0])
        self._next_seq, self._head = int(rows[0][1]), str(rows[0][2])

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
        return read_events(self._database, self._run)

    def append(self, events: Sequence[Event]) -> None:
        """Append and renew the lease; PLY2710 when it passed to somebody else, PLY2101 when the numbers did."""
        check_next(events, self._next_seq)
        if not events:
            return
        lines, head = chain(events, self._head)
        values = {
            "run": self._run,
            "owner": self._owner,
            "lease": self._lease,
            "seq": self._next_seq,
            "next": self._next_seq + len(events),
            "head": head,
            "status": _status(events),
            "types": [event.type for event in events],
            "nodes": [event.node for event in events],
            "attempts": [event.attempt for event in events],
            "lines": [line.decode("ascii") for line in lines],
            "messages": self.read_messages,
        }
        self._database.retrying(lambda connection, again: self._append(connection, values, again=again))
        self._head, self._next_seq, self.read_messages = head, self._next_seq + len(events), []

    def close(self) -> None:
        """Give the lease back, so that another worker may take the run at once."""
        self._database.rows(
            "UPDATE runs SET owner = NULL, until = NULL WHERE run = %s AND owner = %s",
            (self._run, self._owner),
        )

    def _append(self, connection: Connection[Row], values: dict[str, object], *, again: bool) -> None:
        import psycopg

        if again and self._ends_at(connection, values["next"], values["head"]):
            return  # the first try took effect, only its answer was lost
        try:
            done = connection.execute(_READ if self.read_messages else _PLAIN, values).rowcount
        except psycopg.errors.UniqueViolation as error:
            raise JournalConflictError(
                "PLY2101",
                f"the journal of {self._run!r} already holds this: {str(error).splitlines()[0]}",
                hint="another process continued this run; look with polyphony show RUN",
            ) from error
        if done == 0:
            self._refused(connection)

    def _ends_at(self, connection: Connection[Row], seq: object, head: object) -> bool:
        row = connection.execute("SELECT next_seq, head FROM runs WHERE run = %s", (self._run,)).fetchone()
        return row is not None and tuple(row) == (seq, head)

    def _refused(self, connection: Connection[Row]) -> None:
        row = connection.execute("SELECT owner, next_seq FROM runs WHERE run = %s", (self._run,)).fetchone()
        if row is None or row[0] != self._owner:
            raise LeaseLostError(self._run, row[0] if row else None)
        raise JournalConflictError(
            "PLY2101",
            f"the journal of {self._run!r} goes on at {row[1]}, not at {self._next_seq}",
            hint="another process continued this run; look with polyphony show RUN",
        )


def read_events(database: Database, run: str, first: int = 0, prev: str = FIRST_PREV) -> Iterator[Event]:
    """The events of a run from number ``first`` on, whose line names ``prev``; PLY2103 for a broken chain."""
    return check_chain(run, (line for _, line in read_lines(database, run, first)), first, prev)


def check_chain(run: str, lines: Iterable[bytes], first: int, prev: str) -> Iterator[Event]:
    """The events of these lines, the first of which has number ``first`` and names ``prev``; PLY2103."""
    for line in lines:
        try:
            event, named = decode_line(line)
        except FormatError as error:
            raise _damaged(run, first, error.message) from None
        if event.seq != first or named != prev:
            raise _damaged(run, first, f"it does not follow {prev[:12]}…")
        first, prev = first + 1, line_digest(line)
        yield event


def read_lines(database: Database, run: str, first: int = 0) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each line (without LF) from number ``first`` on."""
    while True:
        rows = database.rows(
            "SELECT seq, line FROM journal WHERE run = %s AND seq >= %s ORDER BY seq LIMIT %s",
            (run, first, _PAGE),
        )
        for seq, line in rows:
            yield int(seq), str(line).encode("ascii", "replace")
        if len(rows) < _PAGE:
            return
        first = int(rows[-1][0]) + 1


def no_run(run: str) -> ClusterError:
    """PLY2704: the cluster does not know this run."""
    return ClusterError("PLY2704", f"the cluster has no run {run!r}", hint="polyphony runs lists them")


def _status(events: Sequence[Event]) -> str | None:
    """What the row of the run says after these events, None when they change nothing about it."""
    status = None
    for event in events:
        if event.type == "run.finished":
            status = str(event.data["status"])
        elif event.type == "run.halted":
            status = "halted"
        elif event.type in ("run.started", "run.resumed"):
            status = "running"
    return status


def _damaged(run: str, seq: int, what: str) -> JournalError:
    return JournalError(
        "PLY2103",
        f"event {seq} of {run!r} in the cluster's database: {what}",
        hint="the journal was changed; restore the database from a copy",
    )
