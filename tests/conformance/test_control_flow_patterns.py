"""The workflow control-flow patterns that run now, by their number in the catalogue (Russell et al. 2006)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.values import JsonObject
from support.conductor_graphs import Played, Player, compiled, core, needs, work


def value(assignment: Assignment, sink: Sink) -> JsonObject:
    return {"value": 1}


async def forever(assignment: Assignment, sink: Sink) -> JsonObject:
    await asyncio.Event().wait()
    return {}


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("exit", "no")


FUNCTIONS: dict[str, NodeFunction] = {"./work": value, "./slow": forever, "./bad": failing}


def before(played: Played, first: str, second: str) -> bool:
    """Whether ``second`` started only after ``first`` had succeeded."""
    ended = next(
        event.seq for event in played.events if event.node == first and event.type == "node.succeeded"
    )
    started = next(
        event.seq for event in played.events if event.node == second and event.type == "node.started"
    )
    return ended < started


def test_1_sequence(player: Player) -> None:
    played = player.play(compiled({"a": work(), "b": work()}, ["a -> b"]), FUNCTIONS)
    assert played.state.status == "succeeded"
    assert before(played, "a", "b")


def test_2_parallel_split_and_3_synchronization(player: Player) -> None:
    graph = {"a": work(), "b": work(), "c": work(), "d": work()}
    played = player.play(compiled(graph, ["a -> b", "a -> c", "b -> d", "c -> d"]), FUNCTIONS)
    starts = played.order()
    assert set(starts[1:3]) == {"b", "c"}
    assert before(played, "b", "d")
    assert before(played, "c", "d")


def test_4_exclusive_choice_and_5_simple_merge(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": work(), "c": work(), "d": work(join="any")},
        [
            {"from": "a", "to": "b", "when": "a.value == 1"},
            {"from": "a", "to": "c", "when": "a.value != 1"},
            "b -> d",
            "c -> d",
        ],
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "b": "succeeded", "c": "dead", "d": "succeeded"}


@pytest.mark.parametrize(("n", "ran"), [(0, []), (1, ["b"]), (3, ["b", "c"])])
def test_6_multi_choice_and_7_structured_synchronizing_merge(player: Player, n: int, ran: list[str]) -> None:
    melody = compiled(
        {"a": core("set", {"value": "${ inputs.n }"}), "b": work(), "c": work(), "d": work(join="active")},
        [
            {"from": "a", "to": "b", "when": "a.value > 0"},
            {"from": "a", "to": "c", "when": "a.value > 2"},
            "b -> d",
            "c -> d",
        ],
        inputs={"n": {"schema": {"type": "integer"}}},
    )
    played = player.play(melody, FUNCTIONS, inputs={"n": n})
    assert played.statuses["d"] == ("succeeded" if ran else "dead")
    assert [name for name in ("b", "c") if played.statuses[name] == "succeeded"] == ran
    assert played.state.status == "succeeded"


def test_9_discriminator_takes_the_first_and_swallows_the_rest(player: Player) -> None:
    release = asyncio.Event()

    async def late(assignment: Assignment, sink: Sink) -> JsonObject:
        await release.wait()
        return {"value": 2}

    def last(assignment: Assignment, sink: Sink) -> JsonObject:
        release.set()
        return {}

    melody = compiled(
        {"a": work(), "b": work("./slow"), "c": work("./echo", join="any")}, ["a -> c", "b -> c"]
    )
    played = player.play(melody, {"./work": value, "./slow": late, "./echo": last})
    assert played.statuses == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert played.order().count("c") == 1


def test_11_implicit_termination(player: Player) -> None:
    played = player.play(compiled({"a": work(), "b": work(when="false")}), FUNCTIONS)
    assert played.state.status == "succeeded"
    assert played.statuses["b"] == "skipped"


def test_13_and_14_multiple_instances_keep_the_order_of_their_items(player: Player) -> None:
    async def uneven(assignment: Assignment, sink: Sink) -> JsonObject:
        item = int(str(assignment.inputs["item"]))
        await asyncio.sleep(0.001 * (5 - item))
        return {"value": item * 10}

    melody = compiled(
        {
            "each": {
                "for_each": {"items": "${ inputs.items }", "as": "it", "parallel": 5},
                "nodes": {"w": work(given={"item": "${ it }"})},
                "outputs": {"r": "${ w.value }"},
            }
        },
        inputs={"items": {"schema": {"type": "array"}}},
        outputs={"r": "${ each.r }"},
    )
    played = player.play(melody, {"*": uneven}, inputs={"items": [0, 1, 2, 3, 4]})
    assert played.outputs == {"r": [0, 10, 20, 30, 40]}


def cancelling(path: str | None, when_running: int) -> Callable[[Conductor], Awaitable[None]]:
    """Ask for a cancel as soon as so many nodes are running."""

    async def act(conductor: Conductor) -> None:
        while len(conductor.state.running) < when_running:
            await asyncio.sleep(0)
        conductor.request(CancelRequest(path))

    return act


def test_19_cancel_task(player: Player) -> None:
    melody = compiled({"a": work("./slow"), "b": work(), "c": work(), "d": work()}, ["a -> c", "b -> d"])
    played = player.play(melody, FUNCTIONS, during=cancelling("a", 1))
    assert played.statuses == {"a": "cancelled", "b": "succeeded", "c": "dead", "d": "succeeded"}
    assert played.state.status == "succeeded"


def test_20_cancel_case(player: Player) -> None:
    melody = compiled({"a": work("./slow"), "b": work("./slow"), "c": work()}, ["a -> c"])
    played = player.play(melody, FUNCTIONS, during=cancelling(None, 2))
    assert set(played.statuses.values()) == {"cancelled"}
    assert played.state.status == "cancelled"


@pytest.mark.parametrize(("kind", "condition"), [("while", "state.n < 3"), ("until", "c.value >= 3")])
def test_21_structured_loop(player: Player, kind: str, condition: str) -> None:
    loop = {
        kind: condition,
        "max": 9,
        "state": {"n": "${ 0 }"},
        "nodes": {"c": core("set", {"value": "${ state.n + 1 }"})},
        "next": {"n": "${ c.value }"},
        "outputs": {"n": "${ c.value }"},
    }
    played = player.play(compiled({"fix": loop}, outputs={"n": "${ fix.n }"}))
    assert played.outputs == {"n": 3}
    assert [event.node for event in played.events if event.type == "scope.round"] == [
        "fix[0]",
        "fix[1]",
        "fix[2]",
    ]


def test_26_cancel_all_instances(player: Player) -> None:
    each = {
        "for_each": {"items": "${ [1, 2, 3] }", "parallel": 3},
        "nodes": {"w": work("./slow")},
    }
    played = player.play(
        compiled({"each": each, "after": work()}, ["each -> after"]), FUNCTIONS, during=cancelling("each", 3)
    )
    assert played.statuses["each"] == "cancelled"
    assert played.statuses["each[1]/w"] == "cancelled"
    assert played.statuses["after"] == "dead"


def test_29_cancelling_discriminator(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": work("./slow"), "z": work(), "c": work(join="first")},
        ["a -> c", "b -> c", "a -> z"],
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "b": "cancelled", "c": "succeeded", "z": "succeeded"}


def test_30_partial_join_and_32_cancelling_partial_join(player: Player) -> None:
    nodes = {"a": work(), "b": work(), "c": work("./slow"), "d": work(join={"n": 2, "cancel": True})}
    played = player.play(compiled(nodes, ["a -> d", "b -> d", "c -> d"]), FUNCTIONS)
    assert played.statuses["d"] == "succeeded"
    assert played.statuses["c"] == "cancelled"
    assert before(played, "a", "d")
    assert before(played, "b", "d")


@pytest.mark.parametrize("rest", ["cancel", "ignore"])
def test_34_to_36_partial_joins_of_instances(player: Player, rest: str) -> None:
    gate = asyncio.Event()

    async def act(assignment: Assignment, sink: Sink) -> JsonObject:
        if int(str(assignment.inputs["item"])) >= 2:
            await gate.wait()
        return {"value": assignment.inputs["item"]}

    def after(assignment: Assignment, sink: Sink) -> JsonObject:
        gate.set()
        return {}

    each = {
        "for_each": {
            "items": "${ [0, 1, 2, 3] }",
            "as": "it",
            "parallel": 4,
            "complete_when": "done >= 2",
            "rest": rest,
        },
        "nodes": {"w": work(given={"item": "${ it }"})},
        "outputs": {"r": "${ w.value }"},
    }
    melody = compiled(
        {"each": each, "after": work("./echo")}, ["each -> after"], outputs={"r": "${ each.r }"}
    )
    played = player.play(melody, {"./work": act, "./echo": after})
    assert played.outputs == {"r": [0, 1, None, None]}
    assert played.statuses["each[3]/w"] == ("cancelled" if rest == "cancel" else "succeeded")
    assert played.state.status == "succeeded"


def test_37_acyclic_synchronizing_merge(player: Player) -> None:
    """Dead paths travel: a merge far behind a choice knows that nothing more will come."""
    melody = compiled(
        {"a": work(), "b": work(when="false"), "c": work(), "d": work(), "e": work(join="active")},
        ["a -> b", "b -> c", "c -> d", "d -> e", "a -> e"],
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "b": "skipped", "c": "dead", "d": "dead", "e": "succeeded"}


@pytest.mark.parametrize("status", ["succeeded", "failed", "cancelled"])
def test_43_explicit_termination(player: Player, status: str) -> None:
    melody = compiled(
        {"a": work("./slow"), "stop": core("stop", {"status": status, "message": "enough"}), "z": work()},
        ["a -> z"],
    )
    played = player.play(melody, FUNCTIONS)
    assert played.state.status == status
    assert played.statuses == {"a": "cancelled", "stop": "succeeded", "z": "cancelled"}


def test_a_race_of_values_gives_the_first(player: Player) -> None:
    melody = compiled(
        {
            "a": work(),
            "b": work("./slow"),
            "m": core("merge", {"mode": "first", **needs("a", "b")}, join="first"),
        },
        outputs={"got": "${ m.value }"},
    )
    played = player.play(melody, FUNCTIONS)
    assert played.outputs == {"got": 1}
    assert played.statuses["b"] == "cancelled"
