"""The doorbell alone: rings arrive through RQ, words through publish, and nothing else is ever executed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis as redis_library

from polyphony_runner.cluster.doorbell import Doorbell, LeanWorker, Listener
from polyphony_runner.cluster.tasks import Wake
from support.cluster_servers import Redis, wait_for


@contextmanager
def listening(one: LeanWorker | Listener) -> Iterator[None]:
    """Listen in a thread of its own for as long as the context lasts."""
    thread = threading.Thread(target=one.listen)
    thread.start()
    try:
        yield
    finally:
        one.stop()
        thread.join()


def opened() -> threading.Event:
    """A door that is open."""
    event = threading.Event()
    event.set()
    return event


@contextmanager
def bell_at(server: Redis) -> Iterator[Doorbell]:
    bell = Doorbell(server.url)
    yield bell
    bell.close()


def test_every_ring_arrives_and_leaves_nothing_behind(redis_server: Redis) -> None:
    heard: list[str] = []
    with bell_at(redis_server) as bell, listening(LeanWorker(redis_server.url, "w", opened(), heard.append)):
        bell.ring(["a", "b", "a"])
        wait_for(lambda: len(heard) == 3, "three rings", 10)
        bell.ring(["c"])
        wait_for(lambda: len(heard) == 4, "one more", 10)
        assert heard == ["a", "b", "a", "c"]
        wait_for(lambda: not list(bell.connection.scan_iter("rq:job:*")), "jobs to be forgotten", 10)
        assert bell.connection.exists("rq:worker:w"), "rq info shows the worker"


def test_a_worker_without_a_place_leaves_the_rings_to_others(redis_server: Redis) -> None:
    heard: list[str] = []
    busy: list[str] = []
    with (
        bell_at(redis_server) as bell,
        listening(LeanWorker(redis_server.url, "busy", threading.Event(), busy.append)),
        listening(LeanWorker(redis_server.url, "free", opened(), heard.append)),
    ):
        bell.ring(["a", "b"])
        wait_for(lambda: len(heard) == 2, "both rings", 10)
    assert not busy


def test_a_job_that_is_no_ring_is_dropped_unread(redis_server: Redis, tmp_path: Path) -> None:
    heard: list[str] = []
    with bell_at(redis_server) as bell:
        bell.queue.enqueue("os.mkdir", str(tmp_path / "made"))
        bell.queue.enqueue("polyphony.ring", {"not": "a run"})
        bell.connection.hset(
            "rq:job:broken", mapping={"data": b"\x80\x04pickle", "origin": "polyphony", "created_at": "x"}
        )
        bell.connection.rpush(bell.queue.key, "broken", "gone")
        with listening(LeanWorker(redis_server.url, "w", opened(), heard.append)):
            bell.ring(["a"])
            wait_for(lambda: heard == ["a"], "the one ring", 10)
    assert not (tmp_path / "made").exists()


def test_a_worker_is_told_by_its_name_and_a_run_nobody_holds_is_rung_for(redis_server: Redis) -> None:
    told: list[str] = []
    rung: list[str] = []
    with (
        bell_at(redis_server) as bell,
        listening(Listener(redis_server.url, "w1", told.append)),
        listening(LeanWorker(redis_server.url, "w2", opened(), rung.append)),
    ):
        wait_for(lambda: bell.connection.pubsub_channels("polyphony:worker:w1"), "the listener", 10)
        bell.tell([Wake("a", "w1:1234"), Wake("b", None)])
        wait_for(lambda: told == ["a"] and rung == ["b"], "both", 10)


def test_listening_goes_on_after_redis_was_away(redis_server: Redis) -> None:
    heard: list[str] = []
    with bell_at(redis_server) as bell, listening(LeanWorker(redis_server.url, "w", opened(), heard.append)):
        redis_server.stop()
        bell.ring(["lost"])
        redis_server.start()

        def rung() -> bool:
            bell.ring(["again"])
            return "again" in heard

        wait_for(rung, "a ring after the restart", 20)
    assert "lost" not in heard


def test_what_lies_in_the_queue_is_json(redis_server: Redis) -> None:
    with bell_at(redis_server) as bell:
        bell.ring(["r_1"])
        with redis_library.Redis(port=redis_server.port) as connection:
            (key,) = connection.scan_iter("rq:job:*")
            import zlib

            data: Callable[[bytes], bytes] = zlib.decompress
            assert data(connection.hget(key, "data") or b"") == b'["polyphony.ring", null, ["r_1"], {}]'


def test_runs_that_wait_are_rung_for_anew_only_when_fewer_rings_wait(redis_server: Redis) -> None:
    redis_server.flush()
    with bell_at(redis_server) as bell:
        bell.ring_anew(["a", "b"])
        bell.ring_anew(["a", "b"])
        assert bell.queue.count == 2, "they are rung for already"
        redis_server.flush()
        bell.ring_anew(["a", "b"])
        assert bell.queue.count == 2, "the rings were lost"
        redis_server.flush()
