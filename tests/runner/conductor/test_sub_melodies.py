"""Melodies as nodes: ports, endings, depth, budgets, and what cuts the permissions inside (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.graph.codec import from_json, to_json
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, core, linked, work

DOUBLE = {
    "inputs": {"n": {"schema": {"type": "integer"}}, "by": {"schema": {"type": "integer"}, "default": 2}},
    "nodes": {"m": core("set", {"n": "${ inputs.n * inputs.by }"})},
    "outputs": {"n": "${ m.n }"},
}


def using(uses: str = "./sub", given: dict[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    return {"uses": uses, "with": given or {}, **keys}


def test_a_melody_is_a_node_with_inputs_and_outputs(player: Player) -> None:
    root = {
        "nodes": {"a": using(given={"n": 4}), "b": using(given={"n": "${ a.n }", "by": 10})},
        "outputs": {"n": "${ b.n }"},
    }
    played = player.play(linked(root, {"./sub": DOUBLE}))
    assert played.outputs == {"n": 80}
    assert played.statuses == dict.fromkeys(("a", "a/m", "b", "b/m"), "succeeded")


@pytest.mark.parametrize("given", [{"n": "four"}, {"n": "${ inputs.x }"}])
def test_inputs_are_checked(player: Player, given: dict[str, Any]) -> None:
    root = {"inputs": {"x": {}}, "nodes": {"a": using(given=given)}}
    if given["n"] == "four":
        with pytest.raises(Exception, match="integer"):
            linked(root, {"./sub": DOUBLE})
        return
    played = player.play(linked(root, {"./sub": DOUBLE}), inputs={"x": "four"})
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "validation"


def test_a_failure_inside_fails_the_node(player: Player) -> None:
    root = {"nodes": {"a": using(on_error={"skip": True}), "b": work()}}
    played = player.play(linked(root, {"./sub": {"nodes": {"x": work("./bad")}}}), FUNCTIONS)
    assert played.statuses == {"a": "failed", "a/x": "failed", "b": "succeeded"}
    assert played.state.status == "succeeded"


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_stop_ends_the_sub_melody_alone(player: Player, status: str) -> None:
    sub = {
        "nodes": {
            "early": core("set", {"n": 1}),
            "region": {"nodes": {"stop": core("stop", {"status": status, "message": "enough"})}},
            "rest": work("./slow"),
        },
        "outputs": {"n": "${ early.n }", "v": "${ rest.value }"},
    }
    root = {
        "nodes": {"a": using(), "b": core("wait", {"delay": "30ms"}), "after": core("set", join="active")},
        "connections": ["a -> after", "b -> after"],
        "outputs": {"n": "${ a.n }"},
    }
    played = player.play(linked(root, {"./sub": sub}), FUNCTIONS)
    assert played.statuses["a"] == status
    assert played.statuses["a/rest"] == "cancelled"
    assert played.statuses["after"] == "succeeded"
    assert played.state.status == ("failed" if status == "failed" else "succeeded")
    assert played.outputs == {"n": 1 if status == "succeeded" else None}


def test_a_melody_may_use_itself(player: Player) -> None:
    factorial = {
        "inputs": {"n": {"schema": {"type": "integer"}}},
        "nodes": {
            "smaller": using(".", {"n": "${ inputs.n - 1 }"}, when="inputs.n > 1"),
            "result": core("set", {"n": "${ inputs.n * (has(smaller.n) ? smaller.n : 1) }"}, join="active"),
            "one": core("set", {"n": 1}),
        },
        "connections": ["one -> result"],
        "outputs": {"n": "${ result.n }"},
    }
    assert player.play(linked(factorial), inputs={"n": 5}).outputs == {"n": 120}


@pytest.mark.parametrize("mutual", [False, True])
def test_recursion_is_bounded(player: Player, mutual: bool) -> None:
    root = {"nodes": {"again": using("./other" if mutual else ".")}}
    played = player.play(linked(root, {"./other": {"nodes": {"back": using(".")}}}))
    error = played.state.error
    assert error is not None
    assert "the most is 16" in str(error["message"])
    assert len(played.statuses) == 17
    assert played.state.status == "failed"


def test_sub_melodies_in_maps_and_maps_in_sub_melodies(player: Player) -> None:
    sub = {
        "inputs": {"list": {}},
        "nodes": {
            "each": {
                "inputs": {"list": {}},
                "with": {"list": "${ inputs.list }"},
                "for_each": {"items": "${ inputs.list }", "as": "it"},
                "nodes": {"d": using("./double", {"n": "${ it }"})},
                "outputs": {"n": "${ d.n }"},
            }
        },
        "outputs": {"n": "${ each.n }"},
    }
    outer = {
        "for_each": {"items": "${ [[1, 2], [3]] }", "as": "list"},
        "nodes": {"s": using(given={"list": "${ list }"})},
        "outputs": {"n": "${ s.n }"},
    }
    melody = linked(
        {"nodes": {"outer": outer}, "outputs": {"n": "${ outer.n }"}}, {"./sub": sub, "./double": DOUBLE}
    )
    played = player.play(melody)
    assert played.outputs == {"n": [[2, 4], [6]]}
    assert played.statuses["outer[0]/s/each[1]/d/m"] == "succeeded"
    assert from_json(to_json(melody)) == melody


def test_limits_and_budget_of_its_configuration_hold_inside(player: Player) -> None:
    limits: list[Any] = []

    def note(assignment: Assignment, sink: Sink) -> Any:
        limits.append((assignment.node, assignment.limits.memory, assignment.limits.processes))
        return {}

    sub = {"nodes": {"x": work()}, "config": {"limits": {"memory": "1MiB"}}}
    root = {"nodes": {"a": using(), "b": work()}, "config": {"limits": {"memory": "2MiB", "processes": 3}}}
    player.play(linked(root, {"./sub": sub}), {"*": note})
    assert sorted(limits) == [("a/x", 1 << 20, 3), ("b", 2 << 20, 3)]
    slow = {"nodes": {"x": work("./slow")}, "config": {"budget": {"wall": "20ms"}}}
    played = player.play(linked({"nodes": {"a": using()}}, {"./sub": slow}), FUNCTIONS)
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "budget"


def test_signals_reach_waits_inside_and_maps_only_in_their_own_melody(player: Player) -> None:
    sub = {
        "nodes": {"w": core("wait", {"signal": "each"})},
        "outputs": {"v": "${ w.payload }"},
    }
    root = {
        "nodes": {"a": using(), "b": using("./sender")},
        "outputs": {"v": "${ a.v }"},
    }
    sender = {"nodes": {"s": core("signal", {"name": "each", "payload": 5})}}
    played = player.play(linked(root, {"./sub": sub, "./sender": sender}))
    assert played.outputs == {"v": 5}


@pytest.mark.parametrize("path", ["a", "a/x"])
def test_a_sub_melody_or_a_part_of_it_is_cancelled(player: Player, path: str) -> None:
    async def cancel(conductor: Conductor) -> None:
        while "a/x" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest(path))

    root = {"nodes": {"a": using(), "b": work()}}
    played = player.play(linked(root, {"./sub": {"nodes": {"x": work("./slow")}}}), FUNCTIONS, during=cancel)
    assert played.statuses == {
        "a": "cancelled" if path == "a" else "succeeded",
        "a/x": "cancelled",
        "b": "succeeded",
    }


CEILING = {"network": ["a.example:443", "b.example:443"], "env": ["LANG", "HOME"]}


@pytest.mark.parametrize(
    ("named", "inner", "granted"),
    [
        ({"network": ["a.example:443"]}, {"network": ["a.example:443"], "env": ["LANG"]}, True),
        (
            {"network": ["b.example:443"]},
            {"network": ["a.example:443"]},
            False,
        ),  # the node passes another one on
        ({}, {"network": ["a.example:443"]}, False),  # network must stand at the node
        ({}, {"env": ["LANG"]}, True),  # env need not
        ({"env": ["HOME"]}, {"env": ["LANG"]}, False),
    ],
)
def test_permissions_inside_are_cut_by_the_node_that_uses_the_melody(
    player: Player, named: dict[str, Any], inner: dict[str, Any], granted: bool
) -> None:
    found: list[Any] = []

    def note(assignment: Assignment, sink: Sink) -> Outcome:
        found.append(dict(assignment.grants))
        return Failure("exit", "seen")

    sub = {"nodes": {"x": work(permissions=inner)}, "config": {"permissions": CEILING}}
    root = {"nodes": {"a": using(permissions=named)}, "config": {"permissions": CEILING}}
    melody = linked(root, {"./sub": sub})
    conductor_of = player.conductor

    def conductor(*args: Any) -> Conductor:
        made = conductor_of(*args)
        object.__setattr__(made.context, "ceiling", {key: tuple(items) for key, items in CEILING.items()})
        object.__setattr__(made.context, "packages", _Granting())
        return made

    player.conductor = conductor  # type: ignore[method-assign,assignment]  # with a ceiling
    played = player.play(melody, {"*": note})
    error = played.state.nodes["a/x"].error
    assert error is not None
    assert found == ([{key: tuple(items) for key, items in inner.items()}] if granted else [])
    assert error["kind"] == ("exit" if granted else "permission")


class _Granting:
    """Packages that take whatever their nodes name."""

    def find(self, uses: str, relative_to: Any) -> Any:
        from polyphony_runner.packages import Package
        from polyphony_schemas.program import PackageInterface, Program, PythonStart

        interface = PackageInterface(
            "extension", "work", "1.0.0", permissions={"network": "granted", "env": "granted"}
        )
        return Package(relative_to, Program(interface, PythonStart("node:main")))
