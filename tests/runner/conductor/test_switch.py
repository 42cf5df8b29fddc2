"""``core/switch``: exactly one way is live (docs/melody.md)."""

from __future__ import annotations

from typing import Any

import pytest

from support.conductor_graphs import Player, compiled, core

CASES = {"big": "value > 10", "even": "value % 2 == 0"}


def graph(**keys: Any) -> Any:
    nodes = {
        "switch": core("switch", {"value": "${ inputs.n }", "cases": CASES, **keys}),
        "on_big": core("set"),
        "on_even": core("set"),
        "other": core("set"),
        "after": core("merge", join="any"),
    }
    ways = [
        "switch.big -> on_big.v",
        "switch.even -> on_even.v",
        "switch.default -> other.v",
        "on_big.v -> after.v",
        "on_even.v -> after.v",
        "other.v -> after.v",
    ]
    return compiled(nodes, ways, inputs={"n": {}}, outputs={"v": "${ after.value }"})


@pytest.mark.parametrize(
    ("n", "order", "chosen"),
    [
        (12, None, "on_big"),
        (12, ["even", "big"], "on_even"),
        (4, None, "on_even"),
        (11, ["even", "big"], "on_big"),
        (3, None, "other"),
    ],
)
def test_the_first_case_that_holds_is_live_and_carries_the_value(
    player: Player, n: int, order: list[str] | None, chosen: str
) -> None:
    played = player.play(graph(**({"order": order} if order else {})), inputs={"n": n})
    found = {name for name in ("on_big", "on_even", "other") if played.statuses[name] == "succeeded"}
    assert found == {chosen}
    assert played.outputs == {"v": {"v": n}}


@pytest.mark.parametrize("case", ["value", "value.x == 1"])
def test_a_case_that_is_no_question_fails_the_node(player: Player, case: str) -> None:
    melody = compiled({"switch": core("switch", {"value": 3, "cases": {"one": case}})})
    played = player.play(melody)
    error = played.state.nodes["switch"].error
    assert error is not None
    assert error["kind"] == "expression"
