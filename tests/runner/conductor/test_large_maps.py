"""Maps over very many items: refused by ``max`` before anything starts, else the same work for each of them."""

from __future__ import annotations

from typing import Any

from support.conductor_graphs import Played, Player, compiled


def mapped(player: Player, count: int, **keys: Any) -> Played:
    """A map of core nodes, so that nothing but the Conductor itself is at work."""
    each = {
        "for_each": {"items": "${ all.list }", "as": "n", "parallel": 100, **keys},
        "nodes": {"copy": {"uses": "core/set", "with": {"v": "${ n }"}}},
        "outputs": {"v": "${ copy.v }"},
    }
    numbers = {"uses": "core/set", "with": {"list": list(range(count))}}
    return player.play(compiled({"all": numbers, "each": each}, outputs={"v": "${ each.v }"}))


def test_a_hundred_thousand_items_are_refused_where_nobody_allowed_so_many(player: Player) -> None:
    played = mapped(player, 100_000)
    assert played.statuses == {"all": "succeeded", "each": "failed"}
    error = played.state.nodes["each"].error
    assert error is not None
    assert (error["kind"], error["message"]) == ("validation", "100000 items, the scope allows 10000")
    assert "scope.opened" not in [event.type for event in played.events]


def test_every_item_costs_the_same_events(player: Player) -> None:
    few, many = mapped(player, 50), mapped(player, 2_000, max=100_000)
    assert many.outputs["v"] == list(range(2_000))
    per_item = (len(many.events) - len(few.events)) / 1_950
    assert per_item == 4  # round, start, success, end of the round
