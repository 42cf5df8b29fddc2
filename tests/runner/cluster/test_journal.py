"""What only a journal in PostgreSQL can suffer; the contract itself is in tests/runner/journal."""

from __future__ import annotations

import pytest

from polyphony_runner.cluster import leases, messages, tasks
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.errors import ClusterError, LeaseLostError
from polyphony_runner.cluster.journal import PgJournal, read_events, read_lines
from polyphony_runner.cluster.schema import migrate
from polyphony_runner.journal.errors import JournalConflictError, JournalError
from polyphony_schemas.journal import Event, verify_chain
from support.cluster_journal import LEASE, add_run, database_at, held_journal
from support.cluster_servers import Postgres


def event(seq: int, type_: str = "node.ready", attempt: int | None = None) -> Event:
    return Event(seq, 1000 + seq, type_, "a", attempt, {"text": "é\u0000"})  # type: ignore[arg-type]  # one of the types


def expire(database: Database, run: str = "r_1") -> None:
    """The holder fell silent long ago, and the server is up for longer than a lease."""
    database.rows("UPDATE runs SET until = now() - interval '1 hour' WHERE run = %s", (run,))


def test_lines_are_kept_as_they_were_written(database_url: str) -> None:
    with held_journal(database_url) as journal, database_at(database_url) as database:
        journal.append([event(0), event(1)])
        journal.append([event(2)])
        lines = [line for _, line in read_lines(database, "r_1")]
        assert verify_chain(lines).ok
        assert verify_chain(lines).head == journal.head
        assert list(read_events(database, "r_1")) == [event(0), event(1), event(2)]


def test_a_holder_whose_lease_was_taken_appends_nothing(database_url: str) -> None:
    with held_journal(database_url) as late, database_at(database_url) as database:
        late.append([event(0)])
        expire(database)
        assert leases.claim(database, "r_1", "w2:2", 0.01) is not None
        with pytest.raises(LeaseLostError, match="w2:2"):
            late.append([event(1)])
        other = PgJournal(database, "r_1", "w2:2", LEASE)
        other.append([event(1)])
        with pytest.raises(LeaseLostError):
            late.append([event(1)])
        assert [one.seq for one in read_events(database, "r_1")] == [0, 1]


def test_a_lease_is_taken_by_one_and_only_when_nobody_has_it(database_url: str) -> None:
    with database_at(database_url) as database:
        add_run(database)
        assert leases.claim(database, "r_1", "w1:1", LEASE) is not None
        assert leases.claim(database, "r_1", "w2:1", LEASE) is None
        leases.put_down(database, "r_1", "w1:1", None, idle=False)
        assert leases.claim(database, "r_1", "w2:1", LEASE) is not None


def test_after_a_restart_of_the_server_every_holder_has_one_lease_of_grace(own_postgres: Postgres) -> None:
    with database_at(own_postgres.new_database()) as database:
        add_run(database)
        leases.claim(database, "r_1", "w1:1", 1.0)
        expire(database)
        own_postgres.stop()
        own_postgres.start()
        assert leases.claim(database, "r_1", "w2:1", 3600.0) is None
        assert leases.claim(database, "r_1", "w2:1", 0.001) is not None


def test_the_same_attempt_completes_once(database_url: str) -> None:
    with held_journal(database_url) as journal:
        journal.append([event(0, "node.succeeded", 1)])
        with pytest.raises(JournalConflictError):
            journal.append([event(1, "node.succeeded", 1)])
        journal.append([event(1, "node.succeeded", 2)])


def test_an_append_removes_the_messages_it_journals_and_a_refused_one_none(database_url: str) -> None:
    with held_journal(database_url) as journal, database_at(database_url) as database:
        messages.post(database, "r_1", "cancel", "{}")
        messages.post(database, "r_1", "signal", "{}")
        first, second = messages.read(database, ["r_1"], ())
        journal.read_messages.append(first.id)
        journal.append([event(0)])
        assert messages.read(database, ["r_1"], ()) == [second]
        journal.read_messages.append(second.id)
        expire(database)
        leases.claim(database, "r_1", "w2:2", 0.01)
        with pytest.raises(LeaseLostError):
            journal.append([event(1)])
        assert messages.read(database, ["r_1"], ()) == [second]


def test_a_journal_changed_behind_our_back_is_refused(database_url: str) -> None:
    with held_journal(database_url) as journal, database_at(database_url) as database:
        journal.append([event(0), event(1), event(2)])
        database.rows("UPDATE journal SET line = replace(line, 'node.ready', 'node.dead') WHERE seq = 1")
        with pytest.raises(JournalError) as refused:
            list(read_events(database, "r_1"))
        assert refused.value.code == "PLY2103"


def test_an_outcome_counts_once_and_only_from_the_tasks_owner(database_url: str) -> None:
    with held_journal(database_url), database_at(database_url) as database:
        tasks.offer(database, "r_1", "w:1", [("a", 1, "{}"), ("b", 1, "{}")])
        tasks.offer(database, "r_1", "nobody:1", [("c", 1, "{}")])
        taken = tasks.claim_tasks(database, "w2", LEASE, 16)
        assert [one.node for one in taken] == ["a", "b"], "what is offered without the lease is not there"
        assert tasks.claim_tasks(database, "w3", LEASE, 16) == []
        assert tasks.hand_in(database, "w3", [(taken[0].id, "late")]) == []
        assert [wake.run for wake in tasks.hand_in(database, "w2", [(taken[0].id, "done")])] == ["r_1"]
        assert tasks.hand_in(database, "w2", [(taken[0].id, "again")]) == []
        assert [one.body for one in messages.read(database, ["r_1"], ())] == ["done"]


def test_the_tables_are_made_once_and_a_newer_version_is_refused(database_url: str) -> None:
    with database_at(database_url) as database:
        database.retrying(lambda connection, _again: migrate(connection))
        database.rows("UPDATE version SET applied = applied + 1")
        with pytest.raises(ClusterError) as refused:
            database.connect()
        assert refused.value.code == "PLY2703"
