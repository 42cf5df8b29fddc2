from __future__ import annotations

from support.conductor_graphs import Player, compiled, work


def test_runs_two_nodes_in_a_row(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": work(with_={}) if False else work(**{"with": {"x": "${ a.value + 1 }"}})},
        outputs={"got": "${ b.value }"},
    )
    played = player.play(melody, {"*": lambda a, s: {"value": int(a.inputs.get("x", 1)) * 10}})
    assert played.state.status == "succeeded", played.state.error
    assert played.outputs == {"got": 110}
    assert played.order() == ["a", "b"]


def test_maps_and_loops(player: Player) -> None:
    melody = compiled(
        {
            "each": {
                "for_each": {"items": "${ inputs.items }", "as": "n", "parallel": 3},
                "nodes": {"w": work(**{"with": {"x": "${ n }"}})},
                "outputs": {"r": "${ w.value }"},
            },
            "fix": {
                "until": "c.value >= 3",
                "max": 10,
                "state": {"n": "${ 0 }"},
                "nodes": {"c": {"uses": "core/set", "with": {"value": "${ state.n + 1 }"}}},
                "next": {"n": "${ c.value }"},
                "outputs": {"n": "${ c.value }"},
            },
        },
        inputs={"items": {"schema": {"type": "array"}}},
        outputs={"r": "${ each.r }", "n": "${ fix.n }"},
    )
    played = player.play(
        melody, {"*": lambda a, s: {"value": a.inputs["x"] * 2}}, inputs={"items": [1, 2, 3, 4, 5]}
    )
    assert played.state.status == "succeeded", played.state.error
    assert played.outputs == {"r": [2, 4, 6, 8, 10], "n": 3}
