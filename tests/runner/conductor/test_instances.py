"""A run never holds more nodes than its bound, however its scopes are nested."""

from __future__ import annotations

import pytest

from polyphony_runner.conductor import instances
from support.conductor_graphs import Player, compiled, core

SET = {"w": core("set", {"n": 1})}


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(instances, "MOST_INSTANCES", 60)
    return 60


def nested(depth: int) -> dict[str, object]:
    """``depth`` ``for_each`` of ten items inside each other."""
    nodes: dict[str, object] = dict(SET)
    for _ in range(depth):
        nodes = {"each": {"for_each": {"items": "${ [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }"}, "nodes": nodes}}
    return nodes


@pytest.mark.parametrize("kind", ["until", "while"])
def test_an_endless_loop_ends_at_the_bound(kind: str, bound: int, player: Player) -> None:
    loop = {kind: "false" if kind == "until" else "true", "max": 100_000_000, "nodes": SET}
    played = player.play(compiled({"again": loop}))
    assert played.state.status == "failed"
    assert played.state.error is not None
    assert played.state.error["kind"] == "budget"
    assert len(played.state.nodes) == bound


def test_a_loop_that_accepts_its_max_does_not_accept_the_bound(bound: int, player: Player) -> None:
    loop = {"until": "false", "max": 1000, "on_max": "accept", "nodes": SET}
    assert player.play(compiled({"again": loop})).statuses["again"] == "failed"


def test_scopes_inside_each_other_share_the_bound(bound: int, player: Player) -> None:
    played = player.play(compiled(nested(8)))
    assert played.state.error is not None
    assert played.state.error["kind"] == "budget"
    assert len(played.state.nodes) <= bound


def test_items_without_room_are_refused_before_the_first(bound: int, player: Player) -> None:
    each = {"for_each": {"items": "${ inputs.items }"}, "nodes": {**SET, "x": core("set", {"n": 2})}}
    melody = compiled({"each": each}, inputs={"items": {"schema": {"type": "array"}}})
    played = player.play(melody, inputs={"items": list(range(30))})
    assert played.statuses == {"each": "failed"}
    assert played.state.nodes["each"].error is not None
    assert played.state.nodes["each"].error["kind"] == "budget"


def test_tolerated_failures_do_not_go_past_the_bound(bound: int, player: Player) -> None:
    inner = {"for_each": {"items": "${ [1, 2, 3, 4, 5, 6, 7] }"}, "nodes": SET}
    outer = {
        "for_each": {"items": "${ [1, 2, 3, 4, 5, 6, 7, 8, 9] }", "tolerate": 9},
        "nodes": {"inner": inner},
    }
    played = player.play(compiled({"outer": outer}))
    assert len(played.state.nodes) <= bound
    assert played.state.nodes["outer[8]/inner"].phase == "failed"


def test_items_that_run_on_unused_end_at_the_bound(bound: int, player: Player) -> None:
    items = "${ [1, 2, 3, 4, 5, 6, 7, 8, 9] }"
    inner = {"until": "false", "max": 10, "on_max": "accept", "nodes": SET}
    each = {
        "for_each": {"items": items, "parallel": 2, "complete_when": "done >= 1", "rest": "ignore"},
        "nodes": {"inner": inner},
    }
    played = player.play(compiled({"each": each}))
    assert played.statuses["each"] == "succeeded"
    assert played.state.finished
    assert len(played.state.nodes) <= bound


def test_ten_thousand_items_have_room(player: Player) -> None:
    each = {"for_each": {"items": "${ inputs.items }", "parallel": 64}, "nodes": SET}
    melody = compiled({"each": each}, inputs={"items": {"schema": {"type": "array"}}})
    played = player.play(melody, inputs={"items": list(range(10_000))})
    assert played.state.status == "succeeded"
    assert len(played.state.nodes) == 10_001
