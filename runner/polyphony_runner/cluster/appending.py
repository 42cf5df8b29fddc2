"""Appends to the journals of one or many runs, as one statement and so as one commit.

For each run it checks that the lease is still its owner's and the next number still the expected one, moves the end of
the journal, renews the lease, removes the messages that are journaled now, and inserts the lines. For each run all of
it happens or nothing; the answer names the runs for which it did.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyphony_runner.cluster.database import Database, Row
from polyphony_runner.cluster.errors import LeaseLostError
from polyphony_runner.journal.errors import JournalConflictError
from polyphony_schemas.journal import Event

if TYPE_CHECKING:
    from psycopg import Connection

_APPEND = """
WITH given AS (
  SELECT * FROM unnest(%(runs)b::text[], %(owners)b::text[], %(firsts)s::bigint[], %(nexts)s::bigint[],
    %(heads)b::text[], %(statuses)s::text[]) AS given (run, owner, first, next, head, status)
), mine AS (
  UPDATE runs SET next_seq = given.next, head = given.head, changed_at = now(),
    until = now() + make_interval(secs => %(lease)s), due = NULL,
    status = coalesce(given.status, CASE WHEN runs.status = 'waiting' THEN 'running' ELSE runs.status END)
  FROM given WHERE runs.run = given.run AND runs.owner = given.owner AND runs.next_seq = given.first
  RETURNING runs.run
), written AS (
  INSERT INTO journal (run, seq, type, node, attempt, line)
  SELECT line.* FROM unnest(%(line_runs)b::text[], %(seqs)s::bigint[], %(types)b::text[], %(nodes)s::text[],
    %(attempts)s::integer[], %(lines)b::text[]) AS line (run, seq, type, node, attempt, line)
  JOIN mine USING (run)
){read}
SELECT run FROM mine
"""
_PLAIN = _APPEND.format(read="")
_READ = _APPEND.format(
    read=""", read AS (
  DELETE FROM messages WHERE id = ANY(%(messages)s) AND run IN (SELECT run FROM mine)
)"""
)


@dataclass(frozen=True, slots=True)
class Append:
    """Events of one run after number ``first``, their lines, and what they make of the journal."""

    run: str
    owner: str
    lease: float
    first: int
    events: Sequence[Event]
    lines: Sequence[bytes]
    head: str
    messages: Sequence[int]

    @property
    def next(self) -> int:
        """The number after the last event."""
        return self.first + len(self.events)


def append_now(database: Database, append: Append) -> None:
    """Append and wait for it; PLY2710 when the lease passed to somebody else, PLY2101 when the numbers did."""
    refused = database.retrying(lambda connection, again: _append(connection, [append], again=again))
    if refused:
        raise refused[append.run]


class Commits:
    """Appends of all runs that one worker conducts, committed together, without holding up its event loop.

    While one commit is on its way to the disk, what comes next is collected for the one after it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._thread = ThreadPoolExecutor(1, "commits")
        self._waiting: list[tuple[Append, asyncio.Future[None]]] = []
        self._running: asyncio.Task[None] | None = None

    def put(self, append: Append) -> asyncio.Future[None]:
        """Append with the next commit; the future ends when it is durable, or as ``append_now`` would."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((append, future))
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
        return future

    def stop(self) -> None:
        """Wait for a database that does not answer no longer."""
        self._database.stopped = True

    async def close(self) -> None:
        """Commit what is left."""
        if self._running is not None:
            await self._running
        self._thread.shutdown()
        self._database.close()

    async def _run(self) -> None:
        try:
            while self._waiting:
                waiting, self._waiting = self._waiting, []
                await self._commit(waiting)
        finally:
            self._running = None

    async def _commit(self, waiting: list[tuple[Append, asyncio.Future[None]]]) -> None:
        appends = [append for append, _ in waiting]
        loop = asyncio.get_running_loop()
        try:
            refused = await loop.run_in_executor(self._thread, self._send, appends)
        except Exception as error:  # noqa: BLE001  # whoever waits for it has to hear of it
            refused = dict.fromkeys((append.run for append in appends), error)
        for append, future in waiting:
            if future.done():
                continue
            if (refusal := refused.get(append.run)) is not None:
                future.set_exception(refusal)
            else:
                future.set_result(None)

    def _send(self, appends: list[Append]) -> dict[str, Exception]:
        return dict(
            self._database.retrying(lambda connection, again: _append(connection, appends, again=again))
        )


def _append(
    connection: Connection[Row], appends: Sequence[Append], *, again: bool
) -> dict[str, JournalConflictError]:
    """Send appends of different runs; why some of them were refused."""
    import psycopg

    if again:  # those that took effect before the connection broke; only the answer was lost
        appends = [append for append in appends if not _ends_at(connection, append)]
        if not appends:
            return {}
    statement = _READ if any(append.messages for append in appends) else _PLAIN
    try:
        done = {row[0] for row in connection.execute(statement, _values(appends)).fetchall()}
    except psycopg.errors.UniqueViolation as error:
        if len(appends) == 1:
            return {appends[0].run: _doubled(appends[0].run, str(error))}
        found: dict[str, JournalConflictError] = {}
        for append in appends:
            found |= _append(connection, [append], again=False)
        return found
    return {append.run: _refusal(connection, append) for append in appends if append.run not in done}


def _values(appends: Sequence[Append]) -> dict[str, object]:
    lines = [
        (append.run, event, line)
        for append in appends
        for event, line in zip(append.events, append.lines, strict=True)
    ]
    return {
        "lease": appends[0].lease,
        "runs": [append.run for append in appends],
        "owners": [append.owner for append in appends],
        "firsts": [append.first for append in appends],
        "nexts": [append.next for append in appends],
        "heads": [append.head for append in appends],
        "statuses": [_status(append.events) for append in appends],
        "messages": [number for append in appends for number in append.messages],
        "line_runs": [run for run, _, _ in lines],
        "seqs": [event.seq for _, event, _ in lines],
        "types": [event.type for _, event, _ in lines],
        "nodes": [event.node for _, event, _ in lines],
        "attempts": [event.attempt for _, event, _ in lines],
        "lines": [line.decode("ascii") for _, _, line in lines],
    }


def _ends_at(connection: Connection[Row], append: Append) -> bool:
    row = connection.execute("SELECT next_seq, head FROM runs WHERE run = %s", (append.run,)).fetchone()
    return row is not None and tuple(row) == (append.next, append.head)


def _refusal(connection: Connection[Row], append: Append) -> JournalConflictError:
    row = connection.execute("SELECT owner, next_seq FROM runs WHERE run = %s", (append.run,)).fetchone()
    if row is None or row[0] != append.owner:
        return LeaseLostError(append.run, row[0] if row else None)
    return JournalConflictError(
        "PLY2101",
        f"the journal of {append.run!r} goes on at {row[1]}, not at {append.first}",
        hint="another process continued this run; look with polyphony show RUN",
    )


def _doubled(run: str, said: str) -> JournalConflictError:
    return JournalConflictError(
        "PLY2101",
        f"the journal of {run!r} already holds this: {said.splitlines()[0]}",
        hint="another process continued this run; look with polyphony show RUN",
    )


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
