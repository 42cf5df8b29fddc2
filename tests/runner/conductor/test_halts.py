"""A node that halts its run: nothing new starts, what runs ends, and a person decides (docs/melody.md)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor, Interrupt
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_graphs import Player, compiled, needs, work

HALT: dict[str, Any] = {"on_error": {"halt": {"notify": ["oncall"], "after": "1h"}}}


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("network", "away")


def fine(assignment: Assignment, sink: Sink) -> Outcome:
    return Success({"value": 1})


async def a_moment(assignment: Assignment, sink: Sink) -> Outcome:
    await asyncio.sleep(0.02)
    return Success({"value": 2})


BROKEN: dict[str, NodeFunction] = {"./bad": failing, "./slow": a_moment, "*": fine}
MENDED: dict[str, NodeFunction] = {"./slow": a_moment, "*": fine}


def test_what_runs_ends_and_nothing_new_starts(player: Player) -> None:
    nodes = {"a": work("./bad", **HALT), "s": work("./slow"), "later": work(given=needs("s"))}
    played = player.play(compiled(nodes), BROKEN)
    assert played.state.status == "halted"
    assert played.statuses == {"a": "waiting", "s": "succeeded", "later": "waiting"}
    assert "later" not in played.order()
    last = played.events[-1]
    assert last.type == "run.halted"
    error = {"kind": "network", "message": "away", "trace": None}
    assert last.data == {
        "reason": "error",
        "node": "a",
        "error": error,
        "notify": ["oncall"],
        "after_ms": 3_600_000,
    }


def test_resuming_makes_it_ready_again_and_its_attempts_go_on(player: Player) -> None:
    melody, journal = compiled({"a": work("./bad", **HALT), "b": work(given=needs("a"))}), MemoryJournal()
    for attempt in (1, 2):
        played = player.play(melody, BROKEN, journal=journal)
        assert played.state.status == "halted"
        assert played.state.nodes["a"].attempt == attempt
    played = player.play(melody, MENDED, journal=journal)
    assert played.state.status == "succeeded"
    assert played.state.nodes["a"].attempt == 3
    assert played.statuses["b"] == "succeeded"


def test_after_a_resume_the_retries_begin_anew(player: Player) -> None:
    node = work("./bad", on_error={"retry": {"max": 1, "delay": "1ms"}, "halt": {}})
    melody, journal = compiled({"a": node}), MemoryJournal()
    player.play(melody, BROKEN, journal=journal)
    played = player.play(melody, BROKEN, journal=journal)
    assert played.state.nodes["a"].attempt == 4


def test_what_halted_for_the_condition_of_a_connection_never_starts_without_it(player: Player) -> None:
    """The condition cannot be evaluated at a resume either: that is no reason to go on as if it held."""
    melody = compiled({"a": work(), "b": work(**HALT)}, [{"from": "a", "to": "b", "when": "a.other > 1"}])
    journal = MemoryJournal()
    for _ in range(3):
        played = player.play(melody, MENDED, journal=journal)
        assert played.state.status == "halted"
        assert played.state.halt["node"] == "b"
        assert "a.other" in str(played.state.halt["error"])
    assert played.order() == ["a"]


def test_a_halt_comes_after_the_fallbacks(player: Player) -> None:
    nodes = {"a": work("./bad", on_error={"fallback": ["b"], "halt": {}}), "b": work("./bad")}
    melody, journal = compiled(nodes), MemoryJournal()
    played = player.play(melody, BROKEN, journal=journal)
    assert played.statuses == {"a": "waiting", "b": "failed"}
    played = player.play(melody, MENDED, journal=journal)
    assert played.statuses["a"] == "succeeded"
    assert played.state.nodes["a"].by is None


def test_a_scope_can_halt_the_run_and_begins_anew(player: Player) -> None:
    each = {"for_each": {"items": [1]}, "nodes": {"w": work("./bad")}, **HALT}
    melody, journal = compiled({"each": each}), MemoryJournal()
    assert player.play(melody, BROKEN, journal=journal).state.status == "halted"
    played = player.play(melody, MENDED, journal=journal)
    assert played.state.status == "succeeded"
    assert played.state.nodes["each[0]/w"].attempt == 2


def test_a_node_that_failed_before_it_started_is_evaluated_again(player: Player) -> None:
    node = work(when="1 / inputs.zero == 1", **HALT)
    melody = compiled({"a": node}, inputs={"zero": {"schema": {"type": "integer"}}})
    journal = MemoryJournal()
    for _ in range(2):
        played = player.play(melody, MENDED, inputs={"zero": 0}, journal=journal)
        assert played.state.status == "halted"


def undoable() -> dict[str, Any]:
    return {"first": work(undo="back"), "back": work(), "a": work("./bad", **HALT)}


@pytest.mark.parametrize("undo", [True, False])
def test_aborting_a_halted_run_undoes_what_was_completed(player: Player, undo: bool) -> None:
    melody, journal = compiled(undoable(), ["first -> a"]), MemoryJournal()
    player.play(melody, BROKEN, journal=journal)

    async def abort() -> Conductor:
        conductor = player.conductor(melody, BROKEN, journal)
        player.begin(conductor, {})
        conductor.record(CancelRequest(undo=undo).draft)
        await conductor.run()
        return conductor

    state = asyncio.run(abort()).state
    assert state.status == "cancelled"
    assert state.nodes["a"].status == "cancelled"
    assert state.nodes["a"].attempt == 1
    assert [event.node for event in journal.events() if event.type == "undo.done"] == (
        ["first"] if undo else []
    )


def test_cancelling_while_the_last_node_ends_is_no_halt(player: Player) -> None:
    async def during(conductor: Conductor) -> None:
        while conductor.state.halting is None:
            await asyncio.sleep(0)
        conductor.request(CancelRequest())

    nodes = {"a": work("./bad", **HALT), "s": work("./slow")}
    played = player.play(compiled(nodes), BROKEN, during=during)
    assert played.state.status == "cancelled"
    assert played.statuses["a"] == "cancelled"


def test_an_interrupt_while_the_last_node_ends_halts_at_once(player: Player) -> None:
    async def during(conductor: Conductor) -> None:
        while conductor.state.halting is None:
            await asyncio.sleep(0)
        conductor.request(Interrupt())

    melody, journal = compiled({"a": work("./bad", **HALT), "s": work("./slow")}), MemoryJournal()
    played = player.play(melody, BROKEN, during=during, journal=journal)
    assert played.state.halt["reason"] == "interrupted"
    played = player.play(melody, MENDED, journal=journal)
    assert played.statuses == {"a": "succeeded", "s": "succeeded"}
    assert played.state.status == "succeeded"
