"""The journal of one run in PostgreSQL: lines as text, one row each, appended by whoever holds the run's lease.

How an append becomes a statement, and how runs share a commit, is in ``appending``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence

from polyphony_runner.cluster.appending import Append, Commits, append_now
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.errors import ClusterError, LeaseLostError
from polyphony_runner.cluster.leases import Claimed
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.protocol import chain, check_next
from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, line_digest

_PAGE = 2000


class PgJournal:
    """A run's journal held by ``owner``. ``lease`` in seconds. ``next_seq`` and ``head`` are this holder's view.

    With ``commits`` an append is durable only once ``settled`` returned: it shares its commit with other runs.
    """

    def __init__(
        self,
        database: Database,
        run: str,
        owner: str,
        lease: float,
        commits: Commits | None = None,
        *,
        claimed: Claimed | None = None,
    ) -> None:
        """Open the journal of a run whose lease ``owner`` holds; PLY2710 when somebody else does.

        ``claimed`` is what taking the lease said a moment ago; without it the database is asked.
        """
        self._database = database
        self._run = run
        self._owner = owner
        self._lease = lease
        self._commits = commits
        self._pending: list[asyncio.Future[None]] = []
        self._journaled: list[int] = []
        self.read_messages: list[int] = []
        self._next_seq, self._head = (
            _end_of(database, run, owner) if claimed is None else (claimed.next_seq, claimed.head)
        )

    @property
    def next_seq(self) -> int:
        """The ``seq`` the next event must have."""
        return self._next_seq

    @property
    def head(self) -> str:
        """The digest of the last line."""
        return self._head

    @property
    def known_messages(self) -> list[int]:
        """Messages that were given to the Conductor and may still be there."""
        return [*self._journaled, *self.read_messages]

    def events(self) -> Iterator[Event]:
        """All events from the first on, the chain checked."""
        return read_events(self._database, self._run)

    def append(self, events: Sequence[Event]) -> None:
        """Append and renew the lease; PLY2710 when it passed to somebody else, PLY2101 when the numbers did."""
        check_next(events, self._next_seq)
        if not events:
            return
        lines, head = chain(events, self._head)
        append = Append(
            self._run, self._owner, self._lease, self._next_seq, events, lines, head, self.read_messages
        )
        if self._commits is None:
            append_now(self._database, append)
        else:
            self._pending.append(self._commits.put(append))
            self._journaled += self.read_messages
        self._head, self._next_seq, self.read_messages = head, append.next, []

    async def settled(self) -> None:
        """Wait until everything appended is durable; raises what ``append`` would have."""
        pending, self._pending = self._pending, []
        for one in pending:
            await one
        self._journaled = []

    def close(self) -> None:
        """Give the lease back, so that another worker may take the run at once."""
        self._database.rows(
            "UPDATE runs SET owner = NULL, until = NULL WHERE run = %s AND owner = %s",
            (self._run, self._owner),
        )


def _end_of(database: Database, run: str, owner: str) -> tuple[int, str]:
    """The next number and the digest of the last line of a run that ``owner`` holds."""
    rows = database.rows("SELECT owner, next_seq, head FROM runs WHERE run = %s", (run,))
    if not rows:
        raise no_run(run)
    if rows[0][0] != owner:
        raise LeaseLostError(run, rows[0][0])
    return int(rows[0][1]), str(rows[0][2])


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


def _damaged(run: str, seq: int, what: str) -> JournalError:
    return JournalError(
        "PLY2103",
        f"event {seq} of {run!r} in the cluster's database: {what}",
        hint="the journal was changed; restore the database from a copy",
    )
