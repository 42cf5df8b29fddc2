"""Bounds of loops and maps: rounds, items, and how many may fail (docs/melody.md)."""

from __future__ import annotations

import pytest

from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work


@pytest.mark.parametrize(("on_max", "status"), [("fail", "failed"), ("accept", "succeeded")])
def test_a_loop_that_reaches_its_maximum(player: Player, on_max: str, status: str) -> None:
    loop = {
        "while": "true",
        "max": 2,
        "on_max": on_max,
        "nodes": {"w": work()},
        "outputs": {"v": "${ w.value }"},
    }
    played = player.play(compiled({"fix": loop}), FUNCTIONS)
    assert played.statuses["fix"] == status


def test_a_loop_without_rounds_gives_what_needs_none(player: Player) -> None:
    loop = {
        "while": "false",
        "max": 2,
        "state": {"n": 5},
        "nodes": {"w": core("set", {"value": "${ state.n }"})},
        "next": {"n": "${ w.value }"},
        "outputs": {"n": "${ state.n }", "v": "${ w.value }"},
    }
    played = player.play(compiled({"fix": loop}, outputs={"n": "${ fix.n }", "v": "${ fix.v }"}), FUNCTIONS)
    assert played.outputs == {"n": 5, "v": None}


def odd_fails(assignment: Assignment, sink: Sink) -> Outcome:
    item = int(str(assignment.inputs["item"]))
    return Failure("exit", "odd") if item % 2 else Success({"value": item})


@pytest.mark.parametrize(("tolerate", "status"), [(1, "failed"), (2, "succeeded")])
def test_a_map_tolerates_so_many_failures(player: Player, tolerate: int, status: str) -> None:
    each = {
        "for_each": {"items": "${ [0, 1, 2, 3, 4] }", "as": "it", "tolerate": tolerate},
        "nodes": {"w": work(given={"item": "${ it }"})},
        "outputs": {"r": "${ w.value }"},
    }
    played = player.play(compiled({"each": each}, outputs={"r": "${ each.r }"}), {"*": odd_fails})
    assert played.statuses["each"] == status
    if status == "succeeded":
        assert played.outputs == {"r": [0, None, 2, None, 4]}
    else:
        assert "each[4]/w" not in played.statuses


def test_too_many_items_are_refused_before_the_first(player: Player) -> None:
    each = {"for_each": {"items": "${ [1, 2, 3] }", "max": 2}, "nodes": {"w": work()}}
    played = player.play(compiled({"each": each}), FUNCTIONS)
    error = played.state.nodes["each"].error
    assert error is not None
    assert error["kind"] == "validation"
    assert not [event for event in played.events if event.type == "scope.round"]


def test_bounds_of_a_loop_may_be_computed(player: Player) -> None:
    each = {
        "for_each": {"items": "${ [1, 2, 3] }", "max": "${ inputs.most }", "parallel": "${ inputs.most }"},
        "nodes": {"w": work()},
    }
    melody = compiled({"each": each}, inputs={"most": {"schema": {"type": "integer"}}})
    assert player.play(melody, FUNCTIONS, inputs={"most": 3}).state.status == "succeeded"
    for most in (2, 0):
        error = player.play(melody, FUNCTIONS, inputs={"most": most}).state.nodes["each"].error
        assert error is not None
        assert error["kind"] == "validation"
