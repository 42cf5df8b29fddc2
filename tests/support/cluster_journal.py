"""A journal in a real PostgreSQL, held by one owner, for tests of journals alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from polyphony_runner.cluster import leases
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.journal import PgJournal

LEASE = 30.0


@contextmanager
def database_at(url: str) -> Iterator[Database]:
    """A database with the cluster's tables."""
    database = Database(url, patience=5.0)
    database.connect()
    yield database
    database.close()


def add_run(database: Database, run: str = "r_1") -> None:
    """A run without a journal."""
    database.rows(
        "INSERT INTO runs (run, name, package, local) VALUES (%s, 'tested', 'tested', true)", (run,)
    )


@contextmanager
def held_journal(url: str, owner: str = "w:1") -> Iterator[PgJournal]:
    """The empty journal of a new run, its lease taken."""
    with database_at(url) as database:
        add_run(database)
        assert leases.claim(database, "r_1", owner, LEASE) is not None
        yield PgJournal(database, "r_1", owner, LEASE)
