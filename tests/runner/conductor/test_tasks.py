"""The assignment that a node really got is in the journal, and its preconditions hold before it begins."""

from __future__ import annotations

from typing import Any

from support.conductor_graphs import Player, compiled, work


def nothing(assignment: object, sink: object) -> dict[str, Any]:
    return {}


def test_the_task_that_was_generated_is_in_the_journal_and_handed_over(player: Player) -> None:
    got: list[Any] = []

    def keep(assignment: Any, sink: object) -> dict[str, Any]:
        got.append(assignment.task)
        return {"value": 1}

    melody = compiled({"a": work(), "b": work("./echo")}, ["a.value -> b.value"])
    played = player.play(melody, {"*": keep})
    (ready,) = [event for event in played.events if event.type == "node.ready" and event.node == "b"]
    assert ready.data["task"] == {"generated": True, "objective": "run work", "inputs": {"value": "a.value"}}
    assert got[1] == {"generated": True, "objective": "run work"}


def test_a_written_task_is_evaluated_and_kept(player: Player) -> None:
    task = {"objective": "count", "inputs": {"n": "${ a.value + 1 }"}, "conditions": ["a.value > 0"]}
    melody = compiled({"a": work(), "b": work("./echo", task=task)})
    played = player.play(melody, {"*": lambda assignment, sink: {"value": 1}})
    (ready,) = [event for event in played.events if event.type == "node.ready" and event.node == "b"]
    assert ready.data["task"] == {"objective": "count", "inputs": {"n": 2}}
    assert ready.data["inputs"] == {"n": 2}


def test_a_precondition_that_does_not_hold_skips_the_node_and_is_named(player: Player) -> None:
    task = {"conditions": ["a.value > 0", "a.value > 5"]}
    melody = compiled({"a": work(), "b": work("./echo", task=task), "c": work("./echo", when="a.value > 7")})
    played = player.play(melody, {"*": lambda assignment, sink: {"value": 3}})
    skipped = {event.node: event.data for event in played.events if event.type == "node.skipped"}
    assert skipped == {"b": {"condition": "a.value > 5"}, "c": {"when": "a.value > 7"}}
    assert played.statuses == {"a": "succeeded", "b": "skipped", "c": "skipped"}


def test_an_answer_of_another_form_fails_the_node(player: Player) -> None:
    task = {"outputs": {"format": "diff"}}
    from polyphony_schemas.graph.model import Port
    from polyphony_schemas.program import PackageInterface

    writes = PackageInterface(
        kind="extension",
        name="writes",
        version="1.0.0",
        outputs={"patch": Port({}, required=False, from_task=True)},
        run="python",
    )
    melody = compiled({"a": work("./writes", task=task)}, packages={"./writes": writes})
    played = player.play(melody, {"*": lambda assignment, sink: {"patch": "change line 3"}})
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "validation"
    assert "'patch' is no diff as the task asks" in str(error["message"])
