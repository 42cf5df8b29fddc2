"""Values at the ports of nodes: defaults, checks, what has no value, what is large (docs/melody.md)."""

from __future__ import annotations

import pytest

from polyphony_runner.runtimes.protocol import Assignment, Sink
from polyphony_schemas.graph.model import Port
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonObject
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work

STRICT = PackageInterface(
    kind="extension",
    name="strict",
    version="1.0.0",
    inputs={"n": Port({"type": "integer"}), "text": Port({"type": "string"}, False, "x", True)},
    outputs={"value": Port({"type": "integer"}, required=False)},
    parameters={"type": "object", "properties": {"size": {"type": "integer", "default": 4}}},
    run="python",
)


STRICT_WORK = PackageInterface(
    kind="extension",
    name="work",
    version="1.0.0",
    outputs={name: Port({}, required=False) for name in ("value", "other")},
    run="python",
)


def test_defaults_are_filled_in_and_numbers_are_as_declared(player: Player) -> None:
    seen: list[Assignment] = []

    def look(assignment: Assignment, sink: Sink) -> JsonObject:
        seen.append(assignment)
        return {"value": 2.0}

    melody = compiled(
        {"a": {"uses": "./s", "with": {"n": "${ 4.0 }"}}},
        outputs={"v": "${ a.value }"},
        packages={"./s": STRICT},
    )
    played = player.play(melody, {"*": look})
    assert (dict(seen[0].inputs), dict(seen[0].parameters)) == ({"n": 4, "text": "x"}, {"size": 4})
    assert isinstance(seen[0].inputs["n"], int)
    assert played.outputs == {"v": 2}


@pytest.mark.parametrize("outputs", [{"value": "text"}, {"unknown": 1}, {"value": float("nan")}])
def test_outputs_that_break_their_ports_fail_the_node(player: Player, outputs: JsonObject) -> None:
    melody = compiled({"a": {"uses": "./s", "with": {"n": 1}}}, packages={"./s": STRICT})
    played = player.play(melody, {"*": lambda a, s: outputs})
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "validation"


def test_a_required_port_without_a_value_fails_the_node(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": {"uses": "./s", "join": "active"}, "c": work()},
        ["a.other -> b.n", "c -> b"],
        packages={"./work": STRICT_WORK, "./s": STRICT},
    )
    played = player.play(melody, FUNCTIONS)
    error = played.state.nodes["b"].error
    assert error is not None
    assert error["kind"] == "validation"
    assert "'n'" in str(error["message"])


def test_reading_a_port_without_a_value_fails_and_has_asks(player: Player) -> None:
    melody = compiled(
        {
            "a": work(),
            "b": core("set", {"v": "${ a.other }"}, on_error={"skip": True}),
            "c": core("set", {"v": "${ has(a.other) }"}),
        },
        outputs={"other": "${ a.other }", "c": "${ c.v }"},
    )
    played = player.play(melody, FUNCTIONS)
    error = played.state.nodes["b"].error
    assert error is not None
    assert error["kind"] == "expression"
    assert played.outputs == {"other": None, "c": False}


def test_large_values_lie_among_the_artifacts(player: Player) -> None:
    text = "long " * 10_000
    melody = compiled(
        {"a": work(), "b": core("set", {"n": "${ size(a.value) }"})},
        outputs={"n": "${ b.n }", "text": "${ a.value }"},
    )
    played = player.play(melody, {"*": lambda a, s: {"value": text}})
    event = next(event for event in played.events if event.type == "node.succeeded")
    assert event.data["outputs"] == {}
    assert "/outputs/value" in str(event.data["stored"])
    assert played.outputs == {"n": len(text), "text": text}
