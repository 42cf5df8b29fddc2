"""Started attempts that any worker may take, at most ``BATCH`` at once, and their outcomes on the way back.

A task has an owner and a lease of its own. The statement that hands in an outcome removes the task and leaves the
message in one go, and only for the task's owner: a worker that was frozen past its lease hands in nothing.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.leases import with_silence

BATCH = 16
# FOR SHARE: whoever takes the run over at this moment either waits for these rows, or makes them impossible.
_OFFER = """
WITH mine AS (SELECT run FROM runs WHERE run = %(run)s AND owner = %(owner)s FOR SHARE)
INSERT INTO tasks (run, node, attempt, body)
SELECT mine.run, given.node, given.attempt, given.body
FROM mine, unnest(%(nodes)s::text[], %(attempts)s::integer[], %(bodies)b::text[]) AS given (node, attempt, body)
ON CONFLICT DO NOTHING
"""
_CLAIM = """
UPDATE tasks SET owner = %(owner)s, until = now() + make_interval(secs => %(lease)s)
WHERE id IN (
  SELECT id FROM tasks WHERE owner IS NULL AND (%(run)s::text IS NULL OR run = %(run)s)
  ORDER BY id LIMIT %(limit)s FOR UPDATE SKIP LOCKED
)
RETURNING id, run, node, attempt, body
"""
_HAND_IN = """
WITH given AS (
  SELECT * FROM unnest(%(ids)s::bigint[], %(keys)s::uuid[], %(bodies)b::text[]) AS given (id, key, body)
), mine AS (
  DELETE FROM tasks USING given WHERE tasks.id = given.id AND tasks.owner = %(owner)s
  RETURNING given.key, given.body, tasks.run, tasks.node, tasks.attempt
), told AS (
  INSERT INTO messages (run, key, kind, node, attempt, body)
  SELECT run, key, 'done', node, attempt, body FROM mine RETURNING run
)
SELECT DISTINCT runs.run, CASE WHEN runs.until > now() THEN runs.owner END FROM told JOIN runs USING (run)
"""
_SAY = """
WITH told AS (
  INSERT INTO messages (run, key, kind, node, attempt, body)
  SELECT tasks.run, given.key, 'said', tasks.node, tasks.attempt, given.body
  FROM unnest(%(ids)s::bigint[], %(keys)s::uuid[], %(bodies)b::text[]) WITH ORDINALITY AS given (id, key, body, number)
  JOIN tasks ON tasks.id = given.id AND tasks.owner = %(owner)s
  ORDER BY given.number
  ON CONFLICT DO NOTHING RETURNING run
)
SELECT DISTINCT runs.run, CASE WHEN runs.until > now() THEN runs.owner END FROM told JOIN runs USING (run)
"""
_LOST = """
DELETE FROM tasks WHERE run = ANY(%(runs)s) AND owner IS NOT NULL AND <silent>
  AND EXISTS (SELECT FROM runs WHERE runs.run = tasks.run AND runs.owner = ANY(%(owners)s))
RETURNING run, node, attempt
"""
_PENDING = """
SELECT node, attempt FROM tasks WHERE run = %(run)s
UNION ALL SELECT node, attempt FROM messages WHERE run = %(run)s AND kind = 'done'
"""


@dataclass(frozen=True, slots=True)
class Task:
    """One attempt that was taken; ``body`` is an assignment (``codec``)."""

    id: int
    run: str
    node: str
    attempt: int
    body: str


@dataclass(frozen=True, slots=True)
class Wake:
    """A run that has something to read, and who holds it; ``owner`` None when nobody does."""

    run: str
    owner: str | None


def offer(database: Database, run: str, owner: str, given: Sequence[tuple[str, int, str]]) -> None:
    """Put started attempts (node, attempt, body) where any worker finds them, if ``owner`` holds the run."""
    database.rows(
        _OFFER,
        {
            "run": run,
            "owner": owner,
            "nodes": [one[0] for one in given],
            "attempts": [one[1] for one in given],
            "bodies": [one[2] for one in given],
        },
    )


def claim_tasks(
    database: Database, worker: str, lease: float, limit: int, run: str | None = None
) -> list[Task]:
    """Take up to ``limit`` tasks nobody has, the oldest first, of one run or of any."""
    given = {"owner": worker, "lease": lease, "run": run, "limit": min(limit, BATCH)}
    return [Task(*row) for row in database.rows(_CLAIM, given)]


def hand_in(database: Database, worker: str, outcomes: Sequence[tuple[int, str]]) -> list[Wake]:
    """Give the outcomes (task id, text) to the runs' journals; those of tasks that are not ours any more are refused."""
    return _tell(database, _HAND_IN, worker, outcomes)


def say(database: Database, worker: str, said: Sequence[tuple[int, str]]) -> list[Wake]:
    """Pass on what nodes of our tasks said, in order."""
    return _tell(database, _SAY, worker, said)


def cancel_task(database: Database, run: str, node: str) -> tuple[int | None, str | None]:
    """End a task: the attempt when nobody had taken it and it is gone, else the worker that has to end it."""
    gone = database.rows(
        "DELETE FROM tasks WHERE run = %s AND node = %s AND owner IS NULL RETURNING attempt", (run, node)
    )
    if gone:
        return int(gone[0][0]), None
    taken = database.rows(
        "UPDATE tasks SET cancelled = true WHERE run = %s AND node = %s RETURNING owner", (run, node)
    )
    return None, str(taken[0][0]) if taken else None


def cancelled_tasks(database: Database, worker: str) -> list[int]:
    """Tasks of ours that are to be ended."""
    return [
        int(row[0]) for row in database.rows("SELECT id FROM tasks WHERE owner = %s AND cancelled", (worker,))
    ]


def lost_tasks(
    database: Database, runs: Sequence[str], owners: Sequence[str], lease: float
) -> list[tuple[str, str, int]]:
    """Remove and give the tasks (run, node, attempt) of our runs whose workers fell silent."""
    rows = database.rows(with_silence(_LOST), {"runs": list(runs), "owners": list(owners), "lease": lease})
    return [(str(run), str(node), int(attempt)) for run, node, attempt in rows]


def pending(database: Database, run: str) -> set[tuple[str, int]]:
    """Attempts (node, attempt) of a run that somebody has or had, or that wait to be taken."""
    return {(str(node), int(attempt)) for node, attempt in database.rows(_PENDING, {"run": run})}


def _tell(database: Database, statement: str, worker: str, given: Sequence[tuple[int, str]]) -> list[Wake]:
    keys = [uuid.uuid4() for _ in given]
    rows = database.rows(
        statement,
        {
            "owner": worker,
            "ids": [one[0] for one in given],
            "keys": keys,
            "bodies": [one[1] for one in given],
        },
    )
    return [Wake(str(run), owner) for run, owner in rows]
