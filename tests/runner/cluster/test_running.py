"""Runs on a real cluster: PostgreSQL, Redis, workers in processes of their own."""

from __future__ import annotations

import signal
import time

from polyphony_runner.cluster.doorbell import Doorbell
from polyphony_runner.conductor.conductor import CancelRequest, Interrupt
from polyphony_schemas.graph.model import CompiledMelody
from support.cluster_servers import Postgres, Redis, wait_for
from support.cluster_world import World
from support.conductor_graphs import compiled, core, needs, work


def chain(length: int, ms: int = 0) -> CompiledMelody:
    """Nodes ``n0`` to ``n<length - 1>`` one after the other, each of ``ms`` milliseconds."""
    nodes = {f"n{i}": work(given={"ms": ms, **(needs(f"n{i - 1}") if i else {})}) for i in range(length)}
    return compiled(nodes)


def fan(width: int, ms: int = 0) -> CompiledMelody:
    """``width`` nodes at once, then one that needs them all."""
    nodes = {f"n{i}": work(given={"ms": ms}) for i in range(width)}
    nodes["join"] = work(given=needs(*nodes))
    return compiled(nodes)


def test_a_chain_runs_to_its_end(world: World) -> None:
    world.worker()
    run = world.submit(chain(10))
    state, events = world.finish(run)
    assert state.status == "succeeded"
    assert world.count() == {f"{run} n{i}": 1 for i in range(10)}
    assert [event.node for event in events if event.type == "node.started"] == [f"n{i}" for i in range(10)]


def test_a_wide_run_is_shared_among_workers(world: World) -> None:
    for _ in range(3):
        world.worker(slots=2)
    run = world.submit(fan(24, ms=100))
    state, _ = world.finish(run)
    assert state.status == "succeeded"
    assert world.count() == {f"{run} {name}": 1 for name in (*(f"n{i}" for i in range(24)), "join")}
    lines = (world.work / "executed").read_text().splitlines()
    assert len({line.split()[3] for line in lines}) == 3, "every worker had a part"


def test_what_nodes_say_elsewhere_reaches_the_journal(world: World) -> None:
    for _ in range(2):
        world.worker(slots=1)
    nodes = {f"n{i}": work(given={"ms": 50, "log": f"line {i}", "usage": 1}) for i in range(6)}
    run = world.submit(compiled(nodes))
    state, events = world.finish(run)
    assert (state.usage.input_tokens, state.usage.output_tokens) == (12, 18)
    ended = [event for event in events if event.type == "node.succeeded"]
    folder = world.cluster.mirror(run)
    logs = [(folder.logs / f"{event.data['log']['digest']}.jsonl").read_text() for event in ended]  # type: ignore[index,call-overload]  # JSON
    assert sorted(text.count("line") for text in logs) == [1] * 6


def test_a_killed_worker_is_replaced_and_nothing_completed_runs_twice(world: World) -> None:
    world.worker(slots=2)
    run = world.submit(chain(8, ms=150))
    wait_for(lambda: len(world.count()) >= 2 and world.owner(run), "two nodes")
    held = world.owner(run)
    assert held is not None
    held.kill()
    world.worker(slots=2)
    state, events = world.finish(run)
    assert state.status == "succeeded"
    lost = [event.data["lost"] for event in events if event.type == "run.resumed"]
    assert len(lost) == 1, "one take-over, which says what was lost"
    # A node may die after its last act and before its success is written: that one alone may act again.
    twice = [name.split()[1] for name, times in world.count().items() if times > 1]
    assert set(twice) <= {str(path) for path in lost[0]}  # type: ignore[union-attr]  # JSON


def test_a_killed_helper_loses_only_what_it_had(world: World) -> None:
    world.worker(slots=1)
    nodes = {f"n{i}": work(given={"hold": "go"}) for i in range(10)}
    run = world.submit(compiled(nodes))
    wait_for(lambda: world.owner(run) and (world.work / "begun").exists(), "somebody to take the run")
    helper = world.worker(slots=4)
    wait_for(lambda: f" {helper.pid}\n" in (world.work / "begun").read_text(), "the helper to begin")
    helper.kill()
    (world.work / "go").touch()
    state, events = world.finish(run)
    assert state.status == "succeeded"
    assert set(world.count().values()) == {1}
    assert any(event.data.get("lost") for event in events if event.type == "run.resumed")


def test_a_frozen_workers_late_result_is_refused(world: World) -> None:
    frozen = world.worker(slots=2)
    run = world.submit(chain(3, ms=400))
    wait_for(lambda: (world.work / "begun").exists() and world.owner(run), "the first node to begin")
    frozen.send_signal(signal.SIGSTOP)
    world.worker(slots=2)
    wait_for(lambda: world.owner(run) not in (None, frozen), "another worker to take over")
    frozen.send_signal(signal.SIGCONT)
    state, events = world.finish(run)
    assert state.status == "succeeded"
    succeeded = [event.node for event in events if event.type == "node.succeeded"]
    assert succeeded == ["n0", "n1", "n2"]
    assert frozen.poll() is None, "it goes on with other runs"


def test_a_lost_redis_loses_nothing(world: World, redis_server: Redis) -> None:
    world.worker(slots=2)
    runs = [world.submit(chain(5, ms=60)) for _ in range(4)]
    wait_for(lambda: len(world.count()) >= 3, "some nodes")
    redis_server.flush()
    runs.append(world.submit(chain(3)))
    redis_server.stop()
    runs.append(world.submit(chain(3)))
    for run in runs:
        state, _ = world.finish(run)
        assert state.status == "succeeded"
    redis_server.start()
    state, _ = world.finish(world.submit(chain(3)))
    assert set(world.count().values()) == {1}


def test_a_restarted_postgresql_loses_and_doubles_nothing(
    redis_server: Redis, world: World, own_postgres: Postgres
) -> None:
    world.worker(slots=2)
    runs = [world.submit(chain(6, ms=60)) for _ in range(3)]
    wait_for(lambda: len(world.count()) >= 4, "some nodes")
    own_postgres.stop(signal.SIGQUIT)
    time.sleep(0.5)  # longer than a node takes: outcomes wait for the server
    own_postgres.start()
    for run in runs:
        state, events = world.finish(run)
        assert state.status == "succeeded"
        assert [event.seq for event in events] == list(range(len(events)))
    assert set(world.count().values()) == {1}


def test_rings_too_many_and_jobs_that_are_none_are_harmless(world: World) -> None:
    world.worker(slots=2)
    bell = Doorbell(world.redis)
    run = world.submit(chain(6, ms=50))
    bell.ring([run] * 40 + ["r_nobody"] * 5)
    bell.queue.enqueue("os.system", "touch " + str(world.work / "pwned"))
    bell.connection.rpush(bell.queue.key, "no-such-job")
    bell.connection.hset(
        "rq:job:broken", mapping={"data": b"\x80\x04pickle", "origin": "polyphony", "created_at": "x"}
    )
    bell.connection.rpush(bell.queue.key, "broken")
    bell.ring([run])
    state, _ = world.finish(run)
    bell.close()
    assert state.status == "succeeded"
    assert set(world.count().values()) == {1}
    assert not (world.work / "pwned").exists()


def test_a_drained_worker_finishes_its_node_and_hands_the_run_over(world: World) -> None:
    first = world.worker(slots=2)
    run = world.submit(chain(6, ms=250))
    wait_for((world.work / "begun").exists, "the first node to begin")
    world.worker(slots=2)
    first.send_signal(signal.SIGTERM)
    first.wait(30)
    assert first.returncode == 0
    state, events = world.finish(run)
    assert state.status == "succeeded"
    assert set(world.count("begun").values()) == {1}, "nothing in flight was thrown away"
    assert not [event for event in events if event.type == "run.resumed"]


def test_a_run_that_waits_is_held_by_nobody_and_goes_on_in_time(world: World) -> None:
    world.worker(slots=2)
    melody = compiled(
        {"a": work(), "pause": core("wait", {"delay": "4s"}), "b": work()}, ["a -> pause", "pause -> b"]
    )
    run = world.submit(melody)
    wait_for(lambda: world.cluster.status(run) == ("waiting", False), "the run to be put down")
    state, _ = world.finish(run)
    assert state.status == "succeeded"
    assert world.count() == {f"{run} a": 1, f"{run} b": 1}


def test_cancel_reaches_a_node_on_any_worker(world: World) -> None:
    for _ in range(2):
        world.worker(slots=1)
    run = world.submit(fan(4, ms=20_000))
    wait_for(
        lambda: (world.work / "begun").exists() and (world.work / "begun").read_text().count("\n") >= 2,
        "two nodes",
    )
    world.cluster.ask(run, CancelRequest())
    state, _ = world.finish(run)
    assert state.status == "cancelled"
    assert {node.status for node in state.nodes.values()} == {"cancelled"}


def test_an_interrupted_run_is_halted_and_resumed(world: World) -> None:
    world.worker(slots=2)
    run = world.submit(chain(3, ms=500))
    wait_for((world.work / "begun").exists, "the first node")
    world.cluster.ask(run, Interrupt())
    wait_for(lambda: world.cluster.status(run)[0] == "halted", "the halt")
    world.cluster.resume(run)
    state, _ = world.finish(run)
    assert state.status == "succeeded"
    assert set(world.count().values()) == {1}
