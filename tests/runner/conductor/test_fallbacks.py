"""Fallbacks and compensations: nodes that stand in for, or clean up after, one that failed (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_functions import forever
from support.conductor_graphs import Player, compiled, needs, work


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("network", f"no answer for {assignment.node}", trace="line 1")


def given(assignment: Assignment, sink: Sink) -> Outcome:
    return Success({"value": dict(assignment.inputs)})


FUNCTIONS: dict[str, NodeFunction] = {"./bad": failing, "*": given}


def guarded(*fallbacks: str, **keys: Any) -> dict[str, Any]:
    return work("./bad", {"text": "hi"}, on_error={"fallback": list(fallbacks), **keys})


def test_a_fallback_gets_the_inputs_and_gives_the_outputs(player: Player) -> None:
    melody = compiled(
        {"a": guarded("other"), "other": work(), "b": work(given=needs("a"))}, outputs={"x": "${ b.value }"}
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "other": "succeeded", "b": "succeeded"}
    assert played.outputs == {"x": {"from_a": {"text": "hi"}}}
    assert played.state.nodes["a"].by == "other"
    ended = [event for event in played.events if event.node == "a" and event.type == "node.succeeded"]
    assert [event.data["by"] for event in ended] == ["other"]
    assert played.state.status == "succeeded"


def test_the_list_is_tried_in_its_order_and_an_unused_one_never_exists(player: Player) -> None:
    melody = compiled(
        {"a": guarded("one", "two", "three"), "one": work("./bad"), "two": work(), "three": work()}
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "one": "failed", "two": "succeeded"}
    assert played.state.nodes["a"].by == "two"
    assert played.state.status == "succeeded"


def test_a_fallback_has_retries_of_its_own(player: Player) -> None:
    def second_time(assignment: Assignment, sink: Sink) -> Outcome:
        return Success({"value": 2}) if assignment.attempt == 2 else Failure("network", "away")

    retry = {"retry": {"max": 1, "delay": "1ms"}}
    melody = compiled({"a": guarded("other"), "other": work(on_error=retry)})
    played = player.play(melody, {"./bad": failing, "*": second_time})
    assert played.events_of("other").count("node.retrying") == 1
    assert played.statuses["a"] == "succeeded"


def test_the_final_act_follows_when_every_fallback_failed(player: Player) -> None:
    skip = {"skip": {"outputs": {"value": "none"}}}
    melody = compiled(
        {"a": guarded("other", **skip), "other": work("./bad"), "b": work(given=needs("a"))},
        outputs={"x": "${ b.value }"},
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "failed", "other": "failed", "b": "succeeded"}
    assert played.outputs == {"x": {"from_a": "none"}}
    assert played.state.status == "succeeded"


def test_a_failure_keeps_the_error_of_the_node_itself(player: Player) -> None:
    melody = compiled({"a": guarded("other"), "other": work("./bad")})
    played = player.play(melody, FUNCTIONS)
    error = played.state.error
    assert error is not None
    assert error["message"] == "a: no answer for a"
    assert error["trace"] == "line 1"


def test_a_fallback_in_a_loop_has_the_path_of_its_round(player: Player) -> None:
    each = {
        "for_each": {"items": [1, 2]},
        "nodes": {"call": guarded("other"), "other": work()},
        "outputs": {"x": "${ call.value }"},
    }
    played = player.play(compiled({"each": each}, outputs={"x": "${ each.x }"}), FUNCTIONS)
    assert played.outputs == {"x": [{"text": "hi"}, {"text": "hi"}]}
    assert {"each[0]/other", "each[1]/other"} <= played.statuses.keys()


def test_a_scope_can_stand_in_for_a_node(player: Player) -> None:
    block = {
        "inputs": {"text": {}},
        "nodes": {"w": work(given={"got": "${ inputs.text }"})},
        "outputs": {"value": "${ w.value }", "other": "${ w.other }", "list": "${ w.list }"},
    }
    melody = compiled({"a": guarded("spare"), "spare": block}, outputs={"x": "${ a.value }"})
    played = player.play(melody, FUNCTIONS)
    assert played.outputs == {"x": {"got": "hi"}}


def test_cancelling_a_node_cancels_the_fallback_at_work(player: Player) -> None:
    async def during(conductor: Conductor) -> None:
        while "other" not in conductor.state.running:
            await asyncio.sleep(0.001)
        conductor.request(CancelRequest("a"))

    melody = compiled({"a": guarded("other", "third"), "other": work("./slow"), "third": work()})
    played = player.play(melody, {**FUNCTIONS, "./slow": forever}, during=during)
    assert played.statuses == {"a": "cancelled", "other": "cancelled"}


CLEANUP = {
    "got": "${ failed.inputs }",
    "gave": "${ failed.outputs }",
    "kind": "${ error.kind }",
}


def test_a_compensation_sees_what_failed_and_the_run_fails(player: Player) -> None:
    node = work("./bad", {"text": "hi"}, on_error={"compensate": "cleanup"})
    melody = compiled({"a": node, "cleanup": work(given=CLEANUP), "b": work()}, ["a -> b"])
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "failed", "cleanup": "succeeded", "b": "dead"}
    seen = played.state.nodes["cleanup"].outputs["value"]
    assert seen == {"got": {"text": "hi"}, "gave": {}, "kind": "network"}
    assert played.state.status == "failed"
    assert played.state.error is not None
    assert played.state.error["message"] == "a: no answer for a"


def test_a_compensation_sees_outputs_that_were_refused(player: Player) -> None:
    node = work("./count", on_error={"compensate": "cleanup"})
    melody = compiled({"a": node, "cleanup": work(given={"was": "${ failed.outputs }"})})
    played = player.play(melody, {"./count": lambda a, s: {"value": 1, "unknown": 2}, "*": given})
    assert played.statuses == {"a": "failed", "cleanup": "succeeded"}
    assert played.state.nodes["cleanup"].outputs["value"] == {"was": {"value": 1, "unknown": 2}}


def test_a_compensation_that_fails_is_shown_and_the_run_keeps_the_first_error(player: Player) -> None:
    node = work("./bad", on_error={"compensate": "cleanup"})
    played = player.play(compiled({"a": node, "cleanup": work("./bad")}), FUNCTIONS)
    assert played.statuses == {"a": "failed", "cleanup": "failed"}
    assert played.state.error is not None
    assert str(played.state.error["message"]).startswith("a: ")


def test_the_round_of_a_loop_waits_for_a_compensation(player: Player) -> None:
    node = work("./bad", on_error={"compensate": "cleanup"})
    each = {"for_each": {"items": [1], "tolerate": 1}, "nodes": {"call": node, "cleanup": work()}}
    played = player.play(compiled({"each": each}), FUNCTIONS)
    types = [(event.type, event.node) for event in played.events]
    closed = types.index(("scope.closed", "each[0]"))
    assert types.index(("node.succeeded", "each[0]/cleanup")) < closed
    assert played.state.status == "succeeded"
