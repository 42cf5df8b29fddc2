"""What a run's holder has yet to journal: outcomes and words of other workers' nodes, and what people ask for.

A message is removed by the very statement that appends what it means (``journal.PgJournal``), so nothing is lost and
nothing counts twice, whoever dies in between.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.tasks import Wake

_PAGE = 500
_POST = """
WITH told AS (
  INSERT INTO messages (run, key, kind, body) VALUES (%(run)s, %(key)s, %(kind)s, %(body)s)
  ON CONFLICT DO NOTHING
)
SELECT CASE WHEN until > now() THEN owner END FROM runs WHERE run = %(run)s
"""
_READ = """
SELECT id, run, kind, node, attempt, body FROM messages
WHERE run = ANY(%(runs)s) AND NOT id = ANY(%(known)s) ORDER BY id LIMIT %(limit)s
"""


@dataclass(frozen=True, slots=True)
class Message:
    """``kind`` is ``done`` or ``said`` (of a node's attempt), else the name of a request (``requests``)."""

    id: int
    run: str
    kind: str
    node: str | None
    attempt: int | None
    body: str


def post(database: Database, run: str, kind: str, body: str) -> Wake:
    """Leave a request for whoever holds the run."""
    rows = database.rows(_POST, {"run": run, "key": uuid.uuid4(), "kind": kind, "body": body})
    return Wake(run, rows[0][0] if rows else None)


def read(database: Database, runs: Sequence[str], known: Collection[int]) -> list[Message]:
    """The messages of these runs but the known ones, in order; they stay until they are journaled."""
    given = {"runs": list(runs), "known": list(known), "limit": _PAGE}
    return [Message(*row) for row in database.rows(_READ, given)]


def remove(database: Database, ids: Sequence[int]) -> None:
    """Forget messages that led to no event."""
    database.rows("DELETE FROM messages WHERE id = ANY(%s)", (list(ids),))
