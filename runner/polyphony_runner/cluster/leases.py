"""Who drives a run, and until when: claiming, giving back, renewing, and what nobody drives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.schema import SWEEP_LOCK

# After a restart of the server nobody could renew anything: each holder gets one lease of grace.
# It stands in statements as <silent>, see ``with_silence``.
_SILENT = "greatest(until, pg_postmaster_start_time() + make_interval(secs => %(lease)s)) < now()"
_CLAIM = """
UPDATE runs SET owner = %(owner)s, until = now() + make_interval(secs => %(lease)s), due = NULL
WHERE run = %(run)s AND status = ANY(%(statuses)s)
  AND (owner IS NULL OR <silent> OR owner = %(owner)s)
RETURNING next_seq, head, EXISTS (SELECT FROM messages WHERE messages.run = runs.run)
"""
_PUT_DOWN = """
UPDATE runs SET owner = NULL, until = NULL, due = to_timestamp(%(due)s),
  status = CASE WHEN %(idle)s AND status = 'running' THEN 'waiting' ELSE status END
WHERE run = %(run)s AND owner = %(owner)s
RETURNING EXISTS (SELECT FROM messages WHERE messages.run = runs.run)
"""
# One statement and so one commit: a run that is over leaves nothing behind that could be done or read.
_END = """
WITH given_back AS (
  UPDATE runs SET owner = NULL, until = NULL WHERE run = %(run)s AND owner = %(owner)s RETURNING run
), signed AS (
  UPDATE materials SET signature = %(signature)s FROM given_back WHERE materials.run = given_back.run
), no_tasks AS (
  DELETE FROM tasks USING given_back WHERE tasks.run = given_back.run
), no_messages AS (
  DELETE FROM messages USING given_back WHERE messages.run = given_back.run
), no_logs AS (
  DELETE FROM log_parts USING given_back WHERE log_parts.run = given_back.run
), no_locks AS (
  DELETE FROM locks USING given_back WHERE locks.run = given_back.run
)
SELECT run FROM given_back
"""
# Open runs that nobody drives and that have something to do, and runs with an attempt that nobody has.
_FORGOTTEN = """
SELECT run FROM runs
WHERE status IN ('running', 'waiting') AND (owner IS NULL OR <silent>)
  AND (status = 'running' OR due <= now() OR EXISTS (SELECT FROM messages WHERE messages.run = runs.run))
UNION
SELECT run FROM tasks WHERE owner IS NULL OR <silent>
LIMIT 1000
"""
OPEN = ("running", "waiting")
UNFINISHED = (*OPEN, "halted")


@dataclass(frozen=True, slots=True)
class Claimed:
    """Where the journal of a run ended when its lease was taken; ``told``: messages for it were there."""

    next_seq: int
    head: str
    told: bool


def with_silence(statement: str) -> str:
    """A statement in which ``<silent>`` says that the holder of a row gave no sign of life for a whole ``lease``."""
    return statement.replace("<silent>", _SILENT)


def claim(
    database: Database, run: str, owner: str, lease: float, statuses: Sequence[str] = OPEN
) -> Claimed | None:
    """Take the lease of a run for ``lease`` seconds; None when somebody has it or the run is in no such status."""
    given = {"run": run, "owner": owner, "lease": lease, "statuses": list(statuses)}
    rows = database.rows(with_silence(_CLAIM), given)
    return Claimed(int(rows[0][0]), str(rows[0][1]), bool(rows[0][2])) if rows else None


def put_down(database: Database, run: str, owner: str, due_ms: int | None, *, idle: bool) -> bool:
    """Give a run back, ``idle`` when only time (``due_ms``), a signal or a person can make it go on.

    Whether there is something to read for whoever holds it next.
    """
    due = None if due_ms is None else due_ms / 1000
    rows = database.rows(_PUT_DOWN, {"run": run, "owner": owner, "due": due, "idle": idle})
    return bool(rows and rows[0][0])


def end(database: Database, run: str, owner: str, signature: str) -> None:
    """Give a run back that is over or halted, with its signed head: nothing of it is to be done or read any more."""
    database.rows(_END, {"run": run, "owner": owner, "signature": signature})


def renew(database: Database, owners: Sequence[str], worker: str, slots: int, lease: float) -> None:
    """A sign of life: for the runs held under these names, for the attempts taken, and for the worker itself."""
    database.rows(
        # A run whose row is locked is being appended to at this moment, which renews it too.
        "UPDATE runs SET until = now() + make_interval(secs => %s) WHERE run IN ("
        "SELECT run FROM runs WHERE owner = ANY(%s) FOR UPDATE SKIP LOCKED)",
        (lease, list(owners)),
    )
    database.rows(
        "UPDATE tasks SET until = now() + make_interval(secs => %s) WHERE owner = %s", (lease, worker)
    )
    database.rows(
        "INSERT INTO workers (name, slots, until) VALUES (%s, %s, now() + make_interval(secs => %s)) "
        "ON CONFLICT (name) DO UPDATE SET slots = excluded.slots, until = excluded.until",
        (worker, slots, lease),
    )


def leave(database: Database, owners: Sequence[str], worker: str) -> None:
    """This worker ends: what it still holds is free at once."""
    database.rows("UPDATE runs SET owner = NULL, until = NULL WHERE owner = ANY(%s)", (list(owners),))
    database.rows("UPDATE tasks SET until = now() WHERE owner = %s", (worker,))
    database.rows("DELETE FROM workers WHERE name = %s", (worker,))


def forgotten(database: Database, lease: float) -> list[str]:
    """Runs to ring for; empty when another worker is looking at this moment."""
    locked = database.rows("SELECT pg_try_advisory_lock(%s)", (SWEEP_LOCK,))[0][0]
    if not locked:
        return []
    try:
        database.rows("DELETE FROM workers WHERE until < now()")
        return [str(row[0]) for row in database.rows(with_silence(_FORGOTTEN), {"lease": lease})]
    finally:
        database.rows("SELECT pg_advisory_unlock(%s)", (SWEEP_LOCK,))


def living_workers(database: Database) -> int:
    """How many slots there are in all living workers."""
    return int(database.rows("SELECT coalesce(sum(slots), 0) FROM workers WHERE until > now()")[0][0])
