"""Blocks: scopes that run once, to cancel, bound or handle a region together (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work


def block(nodes: dict[str, Any], **keys: Any) -> dict[str, Any]:
    return {"nodes": nodes, **keys}


def test_a_block_runs_once_and_gives_its_outputs(player: Player) -> None:
    region = block(
        {"a": core("set", {"n": "${ inputs.n + 1 }"}), "b": core("set", {"n": "${ a.n * 2 }"})},
        inputs={"n": {"schema": {"type": "integer"}}},
        outputs={"n": "${ b.n }"},
        **{"with": {"n": 2}},
    )
    played = player.play(compiled({"region": region}, outputs={"n": "${ region.n }"}), FUNCTIONS)
    assert played.outputs == {"n": 6}
    assert played.statuses == {"region": "succeeded", "region/a": "succeeded", "region/b": "succeeded"}
    assert played.events_of("region") == ["node.started", "scope.opened", "node.succeeded"]


def test_a_failure_inside_fails_the_block_and_nothing_beside_it(player: Player) -> None:
    nodes = {"region": block({"x": work("./bad")}), "beside": work(), "after": work()}
    played = player.play(compiled(nodes, ["region -> after"]), FUNCTIONS)
    assert played.statuses["region"] == "failed"
    assert played.statuses["beside"] == "succeeded"
    assert played.statuses["after"] == "dead"
    assert played.state.error is not None
    assert "region/x: no luck" in str(played.state.error["message"])


def test_a_block_is_retried_as_a_whole(player: Player) -> None:
    def second_time(assignment: Assignment, sink: Sink) -> Outcome:
        return Success({"value": 1}) if assignment.attempt == 2 else Failure("exit", "not yet")

    region = block(
        {"first": work("./count"), "x": work(when="first.value == 1")},
        on_error={"retry": {"max": 1, "delay": "1ms"}},
        outputs={"v": "${ x.value }"},
    )
    played = player.play(
        compiled({"region": region}, outputs={"v": "${ region.v }"}),
        {"./work": second_time, "./count": FUNCTIONS["./work"]},
    )
    assert played.state.status == "succeeded"
    assert played.outputs == {"v": 1}
    assert played.order().count("region/first") == 2


def test_blocks_nest_and_repeat_inside_loops(player: Player) -> None:
    inner = block(
        {"w": core("set", {"n": "${ inputs.n * 10 }"})}, inputs={"n": {}}, outputs={"n": "${ w.n }"}
    )
    outer = block(
        {"inner": {**inner, "with": {"n": "${ inputs.m }"}}}, inputs={"m": {}}, outputs={"n": "${ inner.n }"}
    )
    each = {
        "for_each": {"items": "${ [1, 2] }", "as": "it"},
        "nodes": {"outer": {**outer, "with": {"m": "${ it }"}}},
        "outputs": {"n": "${ outer.n }"},
    }
    played = player.play(compiled({"each": each}, outputs={"n": "${ each.n }"}), FUNCTIONS)
    assert played.outputs == {"n": [10, 20]}
    assert played.statuses["each[1]/outer/inner/w"] == "succeeded"


def test_a_block_past_its_budget_of_time_fails_with_all_inside(player: Player) -> None:
    region = block({"s": work("./slow"), "t": work("./slow")}, budget={"wall": "20ms"})
    played = player.play(compiled({"region": region, "beside": work()}), FUNCTIONS)
    error = played.state.nodes["region"].error
    assert error is not None
    assert (error["kind"], played.statuses["region/s"]) == ("budget", "cancelled")
    assert played.statuses["beside"] == "succeeded"


@pytest.mark.parametrize("path", ["region", "region/s"])
def test_a_region_is_cancelled_from_outside(player: Player, path: str) -> None:
    async def cancel(conductor: Conductor) -> None:
        while "region/s" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest(path))

    region = block({"s": work("./slow"), "after": work()}, connections=["s -> after"])
    played = player.play(compiled({"region": region, "beside": work()}), FUNCTIONS, during=cancel)
    assert played.statuses["region/s"] == "cancelled"
    assert played.statuses["region"] == ("cancelled" if path == "region" else "succeeded")
    assert played.statuses["region/after"] == ("cancelled" if path == "region" else "dead")
    assert played.statuses["beside"] == "succeeded"


def test_every_attempt_of_a_block_has_its_own_budget_of_time(player: Player) -> None:
    now = [0]

    def clock() -> int:
        now[0] += 1
        return now[0]

    def late(assignment: Assignment, sink: Sink) -> Outcome:
        now[0] += 8_000
        return Success({"value": 1}) if assignment.attempt == 2 else Failure("exit", "not yet")

    region = block(
        {"x": work()}, budget={"wall": "14s"}, on_error={"retry": {"max": 1, "delay": "1ms", "jitter": 0}}
    )
    conductor = player.conductor(compiled({"region": region}), {"./work": late}, MemoryJournal())
    conductor.clock = clock

    async def run() -> None:
        player.begin(conductor, {})
        await conductor.run()

    asyncio.run(run())
    assert conductor.state.status == "succeeded"
    assert now[0] > 14_000
