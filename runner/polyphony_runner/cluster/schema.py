"""The tables of a cluster, made and brought up to date by whoever uses the database first.

| table | holds |
|---|---|
| ``runs`` | one small row a run, written by every append: where its journal ends, who holds its lease until when |
| ``materials`` | what a run was made from, and at its end the signed head |
| ``journal`` | the lines of every journal as written; ``(run, seq)`` is compare-and-append |
| ``tasks`` | started attempts that any worker may take; a claimed one has an owner and a lease of its own |
| ``messages`` | what a run's holder has yet to journal: outcomes from other workers, requests from people |
| ``log_parts`` | log lines of attempts that are not over; sealed logs lie among the artifacts |
| ``locks`` | which runs hold a lock among runs, or wait for it |
| ``workers`` | who is there |

No index holds a column that an append changes, so that PostgreSQL updates the row of a run in place (HOT).
Migrations only ever add to ``_STEPS``; the row in ``version`` counts the ones that were applied.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from polyphony_runner.cluster.errors import ClusterError

if TYPE_CHECKING:
    from psycopg import Connection

# Any number that only this program takes: it keeps two workers from migrating at the same time.
_LOCK = 0x706F6C79_00000001
SWEEP_LOCK = 0x706F6C79_00000002

_STEPS: tuple[str, ...] = (
    """
    CREATE TABLE runs (
      run text PRIMARY KEY,
      name text NOT NULL,
      package text NOT NULL,
      local boolean NOT NULL,
      created_at timestamptz NOT NULL DEFAULT now(),
      changed_at timestamptz NOT NULL DEFAULT now(),
      status text NOT NULL DEFAULT 'running',
      next_seq bigint NOT NULL DEFAULT 0,
      head text NOT NULL DEFAULT repeat('0', 64),
      owner text,
      until timestamptz,
      due timestamptz
    ) WITH (fillfactor = 50);
    CREATE INDEX runs_open ON runs (run) WHERE status IN ('running', 'waiting');
    CREATE INDEX runs_unfinished ON runs (package) WHERE status IN ('running', 'waiting', 'halted');
    CREATE TABLE materials (
      run text PRIMARY KEY REFERENCES runs ON DELETE CASCADE,
      record text NOT NULL,
      graph text NOT NULL,
      packages jsonb NOT NULL,
      signature text
    );
    CREATE TABLE journal (
      run text NOT NULL,
      seq bigint NOT NULL,
      type text NOT NULL,
      node text,
      attempt integer,
      line text NOT NULL,
      PRIMARY KEY (run, seq)
    );
    CREATE UNIQUE INDEX journal_completed_once ON journal (run, node, attempt) WHERE type = 'node.succeeded';
    CREATE TABLE tasks (
      id bigint GENERATED ALWAYS AS IDENTITY,
      run text NOT NULL REFERENCES runs ON DELETE CASCADE,
      node text NOT NULL,
      attempt integer NOT NULL,
      body text NOT NULL,
      owner text,
      until timestamptz,
      cancelled boolean NOT NULL DEFAULT false,
      PRIMARY KEY (run, node, attempt)
    );
    CREATE UNIQUE INDEX tasks_by_id ON tasks (id);
    CREATE INDEX tasks_free ON tasks (id) WHERE owner IS NULL;
    CREATE INDEX tasks_taken ON tasks (owner) WHERE owner IS NOT NULL;
    CREATE TABLE messages (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL REFERENCES runs ON DELETE CASCADE,
      key uuid NOT NULL UNIQUE,
      kind text NOT NULL,
      node text,
      attempt integer,
      body text NOT NULL
    );
    CREATE INDEX messages_by_run ON messages (run, id);
    CREATE TABLE log_parts (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      run text NOT NULL REFERENCES runs ON DELETE CASCADE,
      node text NOT NULL,
      attempt integer NOT NULL,
      body text NOT NULL
    );
    CREATE INDEX log_parts_by_attempt ON log_parts (run, node, attempt, id);
    CREATE TABLE locks (
      id bigint GENERATED ALWAYS AS IDENTITY,
      name text NOT NULL,
      run text NOT NULL REFERENCES runs ON DELETE CASCADE,
      PRIMARY KEY (name, run)
    );
    CREATE TABLE workers (
      name text PRIMARY KEY,
      slots integer NOT NULL,
      until timestamptz NOT NULL
    );
    """,
)


def migrate(connection: Connection[Any]) -> None:
    """Bring the database up to date; PLY2703 when a newer version of this program was here before."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        connection.execute("CREATE TABLE IF NOT EXISTS version (applied integer NOT NULL)")
        row = connection.execute("SELECT applied FROM version").fetchone()
        applied = 0 if row is None else int(row[0])
        if applied > len(_STEPS):
            raise ClusterError(
                "PLY2703",
                f"the cluster's database is at version {applied}, this program knows {len(_STEPS)}",
                hint="upgrade polyphony on this machine",
            )
        for step in _STEPS[applied:]:
            connection.execute(step)
        if row is None:
            connection.execute("INSERT INTO version VALUES (%s)", (len(_STEPS),))
        elif applied < len(_STEPS):
            connection.execute("UPDATE version SET applied = %s", (len(_STEPS),))
