"""A ``for_each`` to which signals add items, and which they complete (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.requests import SignalRequest
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work

ITEM = {"w": core("set", {"value": "${ it }"})}


def each(items: Any, nodes: dict[str, Any] | None = None, **header: Any) -> dict[str, Any]:
    return {
        "for_each": {"items": items, "as": "it", **header},
        "nodes": nodes or ITEM,
        "outputs": {"n": "${ w.value }"},
    }


def add(value: Any, **keys: Any) -> dict[str, Any]:
    return core("signal", {"name": "each", "payload": {"item": value}}, **keys)


def complete(**keys: Any) -> dict[str, Any]:
    return core("signal", {"name": "each", "payload": {"complete": True}}, **keys)


def test_an_open_map_takes_items_until_it_is_completed(player: Player) -> None:
    nodes = {"each": each([1], open=True), "a": add(2), "b": add(3), "end": complete()}
    played = player.play(compiled(nodes, ["a -> b", "b -> end"], outputs={"n": "${ each.n }"}))
    assert played.state.status == "succeeded"
    assert len(played.outputs["n"]) == 3


def test_an_open_map_waits_for_signals_from_outside(player: Player) -> None:
    async def feed(conductor: Conductor) -> None:
        payloads: list[dict[str, Any]] = [{"item": "x"}, {"item": "y"}, {"complete": True}]
        for number, payload in enumerate(payloads):
            while conductor.state.status != "waiting" or len(conductor.state.mail.seen) < number:
                await asyncio.sleep(0)
            conductor.request(SignalRequest(f"s{number}", "each", payload))

    played = player.play(compiled({"each": each([], open=True)}, outputs={"n": "${ each.n }"}), during=feed)
    assert played.outputs == {"n": ["x", "y"]}
    assert played.events_of("each")[-2:] == ["scope.closed", "node.succeeded"]


def test_items_are_added_by_the_items_themselves(player: Player) -> None:
    """An item sees the loop around it: the lookup goes from the sender's scope outwards."""
    nodes = {
        "w": core("set", {"value": "${ it }"}),
        "more": core("signal", {"name": "each", "payload": {"item": "${ w.value - 1 }"}}, when="w.value > 0"),
    }
    played = player.play(compiled({"each": each([3], nodes)}, outputs={"n": "${ each.n }"}))
    assert played.outputs == {"n": [3, 2, 1, 0]}


def test_items_that_come_before_the_map_opens_are_kept(player: Player) -> None:
    nodes = {"early": add("early"), "each": each(["given"])}
    played = player.play(compiled(nodes, ["early -> each"], outputs={"n": "${ each.n }"}))
    assert played.outputs == {"n": ["given", "early"]}


def test_a_late_signal_fails_its_node(player: Player) -> None:
    nodes = {"each": each([1]), "late": add(2)}
    played = player.play(compiled(nodes, ["each -> late"]))
    error = played.state.nodes["late"].error
    assert error is not None
    assert error["kind"] == "validation"
    assert played.statuses["each"] == "succeeded"


@pytest.mark.parametrize(
    "payload", [None, 3, {"item": 1, "complete": True}, {"complete": False}, {"items": []}]
)
def test_a_payload_that_says_nothing_to_a_map_fails_the_signal(player: Player, payload: Any) -> None:
    nodes = {
        "each": each([1], {"w": work("./slow")}),
        "s": core("signal", {"name": "each", "payload": payload}),
    }
    nodes["stop"] = core("stop", {"status": "failed"}, join="any")
    played = player.play(compiled(nodes, ["s -> stop"], config={"budget": {"wall": "100ms"}}), FUNCTIONS)
    error = played.state.nodes["s"].error
    assert error is not None
    assert error["kind"] == "validation"


def test_added_items_count_for_max(player: Player) -> None:
    nodes = {"each": each([1, 2], {"w": work("./slow")}, max=2), "s": add(3)}
    played = player.play(compiled(nodes, config={"budget": {"wall": "100ms"}}), FUNCTIONS)
    error = played.state.nodes["s"].error
    assert error is not None
    assert "allows 2" in str(error["message"])


@pytest.mark.parametrize(("rest", "last"), [("cancel", "cancelled"), ("ignore", "succeeded")])
def test_completing_from_outside_is_like_complete_when(player: Player, rest: str, last: str) -> None:
    async def second(assignment: Any, sink: Any) -> Any:
        if assignment.inputs["it"] == 2:
            await asyncio.sleep(1.0)  # long after the pause, whatever else the machine does
        return {"value": assignment.inputs["it"]}

    nodes = {
        "each": each([1, 2], {"w": work(given={"it": "${ it }"})}, parallel=2, rest=rest),
        "pause": core("wait", {"delay": "10ms"}),
        "end": complete(),
    }
    played = player.play(compiled(nodes, ["pause -> end"]), {"*": second})
    assert played.statuses["each"] == "succeeded"
    assert played.statuses["each[0]/w"] == "succeeded"
    assert played.statuses["each[1]/w"] == last
