"""Locks among the runs of a cluster: held by runs, in the order in which they asked."""

from __future__ import annotations

import asyncio
import itertools

from polyphony_runner.cluster import leases
from polyphony_runner.cluster.locks import PgLocks
from support.cluster_journal import LEASE, add_run, database_at
from support.cluster_world import World
from support.conductor_graphs import compiled, work


def test_one_run_holds_a_lock_and_the_next_in_line_gets_it(database_url: str) -> None:
    async def play() -> list[str]:
        order: list[str] = []
        with database_at(database_url) as database:
            for run in ("r_1", "r_2", "r_3"):
                add_run(database, run)
            locks = {run: PgLocks(database, run, lambda _name: False) for run in ("r_1", "r_2", "r_3")}
            release = await locks["r_1"].acquire("deploy")

            async def wait(run: str) -> None:
                got = await locks[run].acquire("deploy")
                order.append(run)
                got()

            waiting = [asyncio.ensure_future(wait(run)) for run in ("r_2", "r_3")]
            while len(locks["r_1"].owners("deploy")) < 3:
                await asyncio.sleep(0.01)
            assert order == []
            release()
            await asyncio.gather(*waiting)
            return order

    assert asyncio.run(play()) == ["r_2", "r_3"]


def test_a_run_that_still_needs_a_lock_keeps_it_whoever_conducts_it(database_url: str) -> None:
    async def play() -> None:
        with database_at(database_url) as database:
            add_run(database)
            release = await PgLocks(database, "r_1", lambda _name: True).acquire("deploy")
            release()  # its worker ends, the run does not
            locks = PgLocks(database, "r_1", lambda _name: False)
            assert locks.owners("deploy") == ["r_1"]
            (await locks.acquire("deploy"))()
            assert locks.owners("deploy") == []
            await locks.acquire("deploy")
            assert leases.claim(database, "r_1", "w:1", LEASE)
            leases.end(database, "r_1", "w:1", "")
            assert locks.owners("deploy") == []

    asyncio.run(play())


def test_runs_of_a_melody_take_turns_over_workers(world: World) -> None:
    for _ in range(2):
        world.worker(slots=2)
    node = work(given={"ms": 200}, mutex={"name": "deploy", "scope": "melody"})
    runs = [world.submit(compiled({"a": node})) for _ in range(3)]
    spans = []
    for run in runs:
        state, events = world.finish(run)
        assert state.status == "succeeded"
        times = {event.type: event.at_ms for event in events if event.node == "a"}
        spans.append((times["node.started"], times["node.succeeded"]))
    spans.sort()
    assert all(end <= start for (_, end), (start, _) in itertools.pairwise(spans)), spans
