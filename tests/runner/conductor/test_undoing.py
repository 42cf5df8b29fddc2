"""What is taken back when a run does not succeed: every completed instance, the last one first (docs/melody.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor, Interrupt
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_functions import forever
from support.conductor_graphs import Played, Player, compiled, core, work


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("exit", "no luck")


def given(assignment: Assignment, sink: Sink) -> Outcome:
    return Success({"value": dict(assignment.inputs) or str(assignment.node)})


FUNCTIONS: dict[str, NodeFunction] = {"./bad": failing, "./slow": forever, "*": given}


def undone(played: Played) -> list[str]:
    return played.order("undo.started")


def pair(name: str, **keys: Any) -> dict[str, Any]:
    """A node and what takes it back."""
    return {name: work(undo=f"un{name}", **keys), f"un{name}": work(given={"was": "${ undone.outputs }"})}


def test_a_failed_run_is_undone_in_reverse_order_of_completion(player: Player) -> None:
    nodes = {**pair("a"), **pair("b"), **pair("c"), "d": work("./bad")}
    played = player.play(compiled(nodes, ["a -> b", "b -> c", "c -> d"]), FUNCTIONS)
    assert undone(played) == played.order("undo.done") == ["c", "b", "a"]
    assert played.statuses["una"] == "succeeded"
    last = played.events[-1]
    assert (last.data["status"], last.data["undone"], last.data["undo_failed"]) == ("failed", 3, [])
    assert played.state.error is not None
    assert played.state.error["message"] == "d: no luck"


def test_an_undo_sees_what_was_given_and_what_came_out(player: Player) -> None:
    seen = work(given={"in": "${ undone.inputs }", "out": "${ undone.outputs }"})
    seen["with"] = {"got": seen["with"]["in"], "gave": seen["with"]["out"]}
    nodes = {"a": work(given={"text": "hi"}, undo="back"), "back": seen, "d": work("./bad")}
    played = player.play(compiled(nodes, ["a -> d"]), FUNCTIONS)
    value = played.state.nodes["back"].outputs["value"]
    assert value == {"got": {"text": "hi"}, "gave": {"value": {"text": "hi"}}}


def test_nothing_is_undone_when_the_run_succeeds(player: Player) -> None:
    played = player.play(compiled(pair("a")), FUNCTIONS)
    assert played.statuses == {"a": "succeeded"}
    assert "undone" not in played.events[-1].data


def test_a_failing_undo_is_recorded_and_the_rest_go_on(player: Player) -> None:
    nodes = {**pair("a"), "b": work(undo="unb"), "unb": work("./bad"), "d": work("./bad")}
    played = player.play(compiled(nodes, ["a -> b", "b -> d"]), FUNCTIONS)
    assert undone(played) == ["b", "a"]
    assert played.order("undo.failed") == ["b"]
    assert played.events[-1].data["undo_failed"] == ["b"]
    assert played.events[-1].data["undone"] == 1


def test_every_instance_of_a_loop_is_undone(player: Player) -> None:
    each = {"for_each": {"items": [1, 2, 3]}, "nodes": pair("call")}
    played = player.play(compiled({"each": each, "d": work("./bad")}, ["each -> d"]), FUNCTIONS)
    assert undone(played) == ["each[2]/call", "each[1]/call", "each[0]/call"]
    assert played.statuses["each[1]/uncall"] == "succeeded"


def test_instances_of_a_block_and_the_block_itself_are_undone(player: Player) -> None:
    block = {"nodes": pair("call"), "undo": "unblock"}
    nodes = {"region": block, "unblock": work(), "d": work("./bad")}
    played = player.play(compiled(nodes, ["region -> d"]), FUNCTIONS)
    assert undone(played) == ["region", "region/call"]


def test_an_instance_is_undone_although_its_scope_failed_later(player: Player) -> None:
    each = {
        "for_each": {"items": [1]},
        "nodes": {**pair("call"), "x": work("./bad")},
        "connections": ["call -> x"],
    }
    played = player.play(compiled({"each": each}), FUNCTIONS)
    assert undone(played) == ["each[0]/call"]


def test_every_life_of_a_retried_scope_is_undone(player: Player) -> None:
    each = {
        "for_each": {"items": [1]},
        "nodes": {**pair("call"), "x": work("./bad")},
        "connections": ["call -> x"],
        "on_error": {"retry": {"max": 1, "delay": "1ms"}},
    }
    played = player.play(compiled({"each": each}), FUNCTIONS)
    started = [(event.node, event.attempt) for event in played.events if event.type == "undo.started"]
    assert started == [("each[0]/call", 2), ("each[0]/call", 1)]


def test_the_undo_of_a_fallback_takes_back_what_the_fallback_did(player: Player) -> None:
    nodes = {
        "a": work("./bad", undo="una", on_error={"fallback": ["other"]}),
        "una": work(),
        **pair("other"),
        "d": work("./bad"),
    }
    played = player.play(compiled(nodes, ["a -> d"]), FUNCTIONS)
    assert undone(played) == ["other"]


def test_core_stop_undoes_unless_it_says_succeeded(player: Player) -> None:
    for status, expected in (("cancelled", ["a"]), ("failed", ["a"]), ("succeeded", [])):
        melody = compiled({**pair("a"), "s": core("stop", {"status": status})}, ["a -> s"])
        assert undone(player.play(melody, FUNCTIONS)) == expected


def when(
    ready: Callable[[Conductor], bool], *requests: CancelRequest | Interrupt
) -> Callable[[Conductor], Any]:
    async def during(conductor: Conductor) -> None:
        while not ready(conductor):
            await asyncio.sleep(0.001)
        for request in requests:
            conductor.request(request)

    return during


def slow_runs(conductor: Conductor) -> bool:
    return any(path.endswith("s") for path in conductor.state.running)


@pytest.mark.parametrize("undo", [True, False])
def test_a_cancelled_run_is_undone_unless_told_not_to(player: Player, undo: bool) -> None:
    melody = compiled({**pair("a"), "s": work("./slow")}, ["a -> s"])
    played = player.play(melody, FUNCTIONS, during=when(slow_runs, CancelRequest(undo=undo)))
    assert played.state.status == "cancelled"
    assert undone(played) == (["a"] if undo else [])


def test_refusing_ends_an_undo_that_hangs(player: Player) -> None:
    nodes = {**pair("a"), "b": work(undo="hangs"), "hangs": work("./slow"), "d": work("./bad")}
    during = when(slow_runs, CancelRequest(undo=False))
    played = player.play(compiled(nodes, ["a -> b", "b -> d"]), FUNCTIONS, during=during)
    assert undone(played) == ["b"]
    assert played.order("undo.failed") == ["b"]
    assert played.state.status == "failed"


def test_a_second_cancel_does_not_end_what_is_being_undone(player: Player) -> None:
    async def during(conductor: Conductor) -> None:
        while not conductor.state.undoing.begun:
            await asyncio.sleep(0)
        conductor.request(CancelRequest())

    melody = compiled({**pair("a"), "d": work("./bad")}, ["a -> d"])
    played = player.play(melody, FUNCTIONS, during=during)
    assert played.order("undo.done") == ["a"]
    assert played.state.status == "failed"


def test_a_crash_at_any_event_goes_on_without_undoing_twice(player: Player) -> None:
    nodes = {
        **pair("a"),
        **pair("b"),
        "d": work("./bad", on_error={"compensate": "cleanup"}),
        "cleanup": work(),
    }
    melody = compiled(nodes, ["a -> b", "b -> d"])
    whole = player.play(melody, FUNCTIONS).events
    for cut in range(2, len(whole)):
        journal = MemoryJournal()
        journal.append(whole[:cut])
        finished = {event.node for event in whole[:cut] if event.type == "node.succeeded"}
        played = player.play(melody, FUNCTIONS, journal=journal)
        assert undone(played) == played.order("undo.done") == ["b", "a"]
        again = {event.node for event in played.events[cut:] if event.type == "node.started"}
        assert not finished & again
        assert played.order("node.succeeded").count("cleanup") == 1


def test_an_interrupt_while_undoing_is_gone_on_with(player: Player) -> None:
    nodes = {**pair("a"), "b": work(undo="hangs"), "hangs": work("./slow"), "d": work("./bad")}
    melody, journal = compiled(nodes, ["a -> b", "b -> d"]), MemoryJournal()
    played = player.play(melody, FUNCTIONS, journal=journal, during=when(slow_runs, Interrupt()))
    assert played.state.status == "halted"
    played = player.play(melody, {**FUNCTIONS, "./slow": given}, journal=journal)
    assert played.order("undo.done") == ["b", "a"]
    assert played.state.status == "failed"


def test_the_cost_of_undoing_is_linear(player: Player) -> None:
    each = {"for_each": {"items": "${ inputs.many }", "max": 10_000, "parallel": 32}, "nodes": pair("call")}
    inputs = {"many": {"schema": {"type": "array"}}}
    melody = compiled({"each": each, "d": work("./bad")}, ["each -> d"], inputs=inputs)
    played = player.play(melody, FUNCTIONS, inputs={"many": list(range(300))})
    assert len(undone(played)) == 300
    drafts = [event for event in played.events if isinstance(event.type, str)]
    assert len(drafts) < 300 * 12 + 30


def test_an_undo_that_was_never_announced_cannot_follow(player: Player) -> None:
    from polyphony_runner.journal.errors import JournalError

    played = player.conductor(compiled(pair("a")), FUNCTIONS, MemoryJournal())
    played.record(Draft("run.created", data={"inputs": {}}), Draft("run.started"))
    with pytest.raises(JournalError):
        played.record(Draft("undo.started", "a", 1, {"by": "una"}))
