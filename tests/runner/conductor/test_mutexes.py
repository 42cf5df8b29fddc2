"""Locks among the nodes of a run, and among runs of one package (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor, Interrupt
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.conductor.lock_keeper import LockKeeper, MemoryLocks
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from polyphony_schemas.values import JsonObject
from support.conductor_functions import forever
from support.conductor_graphs import Player, compiled, work

SHARED = {"name": "site", "scope": "melody"}


class Critical:
    """A place where one at a time may be."""

    def __init__(self, seconds: float = 0.002) -> None:
        self.seconds = seconds
        self.inside = 0
        self.most = 0
        self.order: list[str] = []

    async def __call__(self, assignment: Assignment, sink: Sink) -> JsonObject:
        self.inside += 1
        self.most = max(self.most, self.inside)
        self.order.append(assignment.node)
        await asyncio.sleep(self.seconds)
        self.inside -= 1
        return {"value": 1}


def test_one_node_at_a_time_in_the_order_of_the_journal(player: Player) -> None:
    critical = Critical()
    melody = compiled({name: work(mutex="deploy") for name in "abcd"})
    played = player.play(melody, {"*": critical})
    assert critical.most == 1
    assert critical.order == ["a", "b", "c", "d"]
    waits = [event for event in played.events if event.type == "node.waiting"]
    assert [(event.node, event.data["holder"]) for event in waits] == [("b", "a"), ("c", "a"), ("d", "a")]
    assert played.state.locks == {}


def test_different_locks_do_not_meet(player: Player) -> None:
    critical = Critical(seconds=1.0)
    player.play(compiled({"a": work(mutex="one"), "b": work(mutex="two")}), {"*": critical})
    assert critical.most == 2


def test_a_lock_is_held_over_retries(player: Player) -> None:
    def third_time(assignment: Assignment, sink: Sink) -> Outcome:
        return Success({}) if assignment.attempt == 3 or assignment.node == "b" else Failure("network", "x")

    retry = {"retry": {"max": 3, "delay": "5ms"}}
    melody = compiled({"a": work(mutex="m", on_error=retry), "b": work(mutex="m")})
    played = player.play(melody, {"*": third_time})
    assert played.order() == ["a", "a", "a", "b"]


@pytest.mark.parametrize(
    "inside", [{"nodes": {"w": work(), "v": work()}}, {"for_each": {"items": [1, 2]}, "nodes": {"w": work()}}]
)
def test_a_scope_holds_its_lock_for_everything_inside(player: Player, inside: dict[str, Any]) -> None:
    melody = compiled({"region": {**inside, "mutex": "m"}, "z": work(mutex="m")})
    played = player.play(melody, {"*": Critical()})
    order = [(event.type, event.node) for event in played.events]
    assert order.index(("node.succeeded", "region")) < order.index(("node.started", "z"))
    assert played.state.status == "succeeded"


def test_rounds_of_a_loop_share_the_lock_of_a_node_inside(player: Player) -> None:
    critical = Critical()
    each = {"for_each": {"items": [1, 2, 3], "parallel": 3}, "nodes": {"w": work(mutex="m")}}
    player.play(compiled({"each": each}), {"*": critical})
    assert critical.most == 1


def test_a_fallback_and_a_compensation_work_under_the_lock_of_their_node(player: Player) -> None:
    def failing(assignment: Assignment, sink: Sink) -> Outcome:
        return Failure("exit", "no")

    nodes = {
        "a": work("./bad", mutex="m", on_error={"fallback": ["f"], "compensate": "c"}),
        "f": work("./bad", mutex="m"),
        "c": work(mutex="m"),
        "z": work(mutex="m"),
    }
    played = player.play(compiled(nodes), {"./bad": failing, "*": Critical()})
    assert played.order() == ["a", "f", "c", "z"]
    assert played.statuses == {"a": "failed", "f": "failed", "c": "succeeded", "z": "succeeded"}


def test_a_cancelled_waiter_gives_its_place_up(player: Player) -> None:
    async def during(conductor: Conductor) -> None:
        while "a" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest("b"))
        conductor.request(CancelRequest("a"))

    melody = compiled({"a": work("./slow", mutex="m"), "b": work(mutex="m"), "c": work(mutex="m")})
    played = player.play(melody, {"./slow": forever, "*": Critical()}, during=during)
    assert played.statuses == {"a": "cancelled", "b": "cancelled", "c": "succeeded"}


async def _both(player: Player, functions: dict[str, NodeFunction], locks: MemoryLocks) -> list[Conductor]:
    melody = compiled({name: work(mutex=SHARED) for name in "ab"})
    conductors = [player.conductor(melody, functions, MemoryJournal()) for _ in range(3)]
    for conductor in conductors:
        conductor.keeper = LockKeeper(locks)
        player.begin(conductor, {})
    await asyncio.gather(*(conductor.run() for conductor in conductors))
    return conductors


def test_runs_of_one_package_exclude_each_other(player: Player) -> None:
    critical = Critical()
    conductors = asyncio.run(_both(player, {"*": critical}, MemoryLocks()))
    assert [one.state.status for one in conductors] == ["succeeded"] * 3
    assert critical.most == 1
    assert critical.order == ["a"] * 3 + ["b"] * 3
    assert all(one.state.shared == {} and one.keeper.held == {} for one in conductors)


def test_a_run_that_waits_for_another_run_can_be_cancelled(player: Player) -> None:
    locks = MemoryLocks()

    async def play() -> Conductor:
        release = await locks.acquire("tested:site")
        conductor = player.conductor(compiled({"a": work(mutex=SHARED)}), {"*": Critical()}, MemoryJournal())
        conductor.keeper = LockKeeper(locks)
        player.begin(conductor, {})
        task = asyncio.ensure_future(conductor.run())
        while not conductor.state.wanted:
            await asyncio.sleep(0)
        conductor.request(CancelRequest())
        await task
        release()
        (await locks.acquire("tested:site"))()
        return conductor

    assert asyncio.run(play()).state.status == "cancelled"


def test_a_run_that_is_taken_up_gets_its_locks_again_before_it_goes_on(player: Player) -> None:
    region = {"nodes": {"w": work("./slow"), "v": work()}, "connections": ["w -> v"], "mutex": SHARED}
    melody, journal, locks = compiled({"region": region, "free": work()}), MemoryJournal(), MemoryLocks()

    async def interrupted() -> None:
        conductor = player.conductor(melody, {"./slow": forever, "*": Critical()}, journal)
        conductor.keeper = LockKeeper(locks)
        player.begin(conductor, {})
        task = asyncio.ensure_future(conductor.run())
        while "region/w" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(Interrupt())
        await task

    async def resumed() -> Conductor:
        other = await locks.acquire("tested:site")
        conductor = player.conductor(melody, {"*": Critical()}, journal)
        conductor.keeper = LockKeeper(locks)
        player.begin(conductor, {})
        task = asyncio.ensure_future(conductor.run())
        for _ in range(20):
            await asyncio.sleep(0)
        assert conductor.state.nodes["region/w"].phase == "ready"
        other()
        await task
        return conductor

    asyncio.run(interrupted())
    assert asyncio.run(resumed()).state.status == "succeeded"


def test_an_interrupt_while_waiting_for_another_run_halts(player: Player) -> None:
    locks = MemoryLocks()

    async def play() -> str:
        await locks.acquire("tested:site")
        conductor = player.conductor(compiled({"a": work(mutex=SHARED)}), {"*": Critical()}, MemoryJournal())
        conductor.keeper = LockKeeper(locks)
        player.begin(conductor, {})
        asyncio.get_running_loop().call_later(0.01, conductor.request, Interrupt())
        await conductor.run()
        return conductor.state.status

    assert asyncio.run(play()) == "halted"
