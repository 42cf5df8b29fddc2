"""What scopes promise beyond their first use: items cancelled from outside, headers, nested state (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work


async def slow_two(assignment: Any, sink: Any) -> Any:
    if assignment.inputs["it"] == 2:
        await asyncio.Event().wait()
    return {"value": assignment.inputs["it"]}


@pytest.mark.parametrize("tolerate", [0, 1])
def test_an_item_cancelled_from_outside_counts_as_neither_and_brings_null(
    player: Player, tolerate: int
) -> None:
    async def cancel(conductor: Conductor) -> None:
        while "each[1]/w" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest("each[1]"))

    each = {
        "for_each": {"items": "${ [1, 2, 3] }", "as": "it", "tolerate": tolerate},
        "nodes": {"w": work(given={"it": "${ it }"})},
        "outputs": {"v": "${ w.value }"},
    }
    played = player.play(
        compiled({"each": each}, outputs={"v": "${ each.v }"}), {"*": slow_two}, during=cancel
    )
    assert played.outputs == {"v": [1, None, 3]}
    assert played.state.nodes["each"].scope.failed == 0
    assert played.state.nodes["each"].scope.done == 2


def test_cancelling_a_map_cancels_what_runs_and_starts_no_more(player: Player) -> None:
    async def cancel(conductor: Conductor) -> None:
        while "each[1]/w" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest("each"))

    each = {
        "for_each": {"items": "${ [1, 2, 3] }", "as": "it"},
        "nodes": {"w": work(given={"it": "${ it }"})},
    }
    played = player.play(compiled({"each": each, "b": work(given={"it": 1})}), {"*": slow_two}, during=cancel)
    assert played.statuses == {
        "each": "cancelled",
        "each[0]/w": "succeeded",
        "each[1]/w": "cancelled",
        "b": "succeeded",
    }


def test_headers_see_the_nodes_around_and_the_inputs_of_their_own(player: Player) -> None:
    each = {
        "inputs": {"most": {"schema": {"type": "integer"}}, "list": {}},
        "with": {"most": "${ bound.n }", "list": [5, 6]},
        "for_each": {
            "items": "${ inputs.list }",
            "as": "it",
            "max": "${ inputs.most }",
            "parallel": "${ bound.n }",
        },
        "nodes": {"w": core("set", {"v": "${ it + inputs.most + index }"})},
        "outputs": {"v": "${ w.v }"},
    }
    nodes = {"bound": core("set", {"n": 2}), "each": each}
    played = player.play(compiled(nodes, outputs={"v": "${ each.v }"}))
    assert played.outputs == {"v": [7, 9]}


def test_nested_loops_keep_a_state_each(player: Player) -> None:
    inner = {
        "inputs": {"start": {"schema": {"type": "integer"}}},
        "with": {"start": "${ state.total }"},
        "while": "state.n < inputs.start + 2",
        "max": 5,
        "state": {"n": "${ inputs.start }"},
        "nodes": {"add": core("set", {"n": "${ state.n + 1 }"})},
        "next": {"n": "${ add.n }"},
        "outputs": {"n": "${ add.n }"},
    }
    outer = {
        "until": "inner.n >= 6",
        "max": 5,
        "state": {"total": 0, "seen": "${ [] }"},
        "nodes": {"inner": inner},
        "next": {"total": "${ inner.n }", "seen": "${ state.seen + [round] }"},
        "outputs": {"total": "${ inner.n }", "seen": "${ state.seen }", "last": "${ round }"},
    }
    names = ("total", "seen", "last")
    melody = compiled({"outer": outer}, outputs={name: f"${{ outer.{name} }}" for name in names})
    # ``outputs`` see the state that the last round began with.
    assert player.play(melody).outputs == {"total": 6, "seen": [0, 1], "last": 2}


def test_a_budget_of_an_inner_loop_ends_that_alone(player: Player) -> None:
    inner = {"while": "true", "max": 100, "budget": {"wall": "20ms"}, "nodes": {"w": work("./slow")}}
    inner["on_error"] = {"skip": True}
    outer = {"while": "round < 2", "max": 3, "nodes": {"inner": inner, "w": work()}}
    played = player.play(compiled({"outer": outer}), FUNCTIONS)
    assert played.state.status == "succeeded"
    for round_ in (0, 1):
        node = played.state.nodes[f"outer[{round_}]/inner"]
        assert node.error is not None
        assert (node.status, node.error["kind"]) == ("failed", "budget")
