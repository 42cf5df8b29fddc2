"""Failures, retries, skips, limits of time, and what they do to the rest of a run (docs/melody.md)."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

import pytest

from polyphony_runner.conductor.conductor import Conductor, Interrupt
from polyphony_runner.conductor.failures import backoff
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.journal import FileJournal, MemoryJournal, read_journal
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Sink, Success
from polyphony_schemas.graph.model import Port, Retry
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonObject
from support.conductor_graphs import Player, compiled, core, needs, work


def value(assignment: Assignment, sink: Sink) -> JsonObject:
    return {"value": 1}


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("exit", "no luck")


async def forever(assignment: Assignment, sink: Sink) -> JsonObject:
    await asyncio.Event().wait()
    return {}


FUNCTIONS: dict[str, NodeFunction] = {"./work": value, "./bad": failing, "./slow": forever}


def third_time(assignment: Assignment, sink: Sink) -> Outcome:
    return Success({"value": assignment.attempt}) if assignment.attempt == 3 else Failure("network", "away")


def test_a_failure_fails_the_run_but_what_can_still_start_goes_on(player: Player) -> None:
    melody = compiled({"a": work("./bad"), "b": work(), "c": work(), "d": work()}, ["a -> c", "b -> d"])
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "failed", "b": "succeeded", "c": "dead", "d": "succeeded"}
    assert played.state.status == "failed"
    assert played.state.error == {"kind": "exit", "message": "a: no luck", "trace": None}


def test_retries_until_it_succeeds(player: Player) -> None:
    node = work(on_error={"retry": {"max": 3, "delay": "1ms"}})
    played = player.play(compiled({"a": node}, outputs={"n": "${ a.value }"}), {"*": third_time})
    assert played.outputs == {"n": 3}
    assert played.events_of("a").count("node.retrying") == 2
    assert played.state.nodes["a"].attempt == 3


def test_a_retry_asks_its_condition(player: Player) -> None:
    node = work(on_error={"retry": {"max": 3, "delay": "1ms", "when": "error.kind == 'exit'"}})
    played = player.play(compiled({"a": node}), {"*": third_time})
    assert played.state.status == "failed"
    assert played.state.nodes["a"].attempt == 1


def test_what_says_it_is_not_retryable_is_not_retried(player: Player) -> None:
    node = work(on_error={"retry": {"max": 3, "delay": "1ms"}})
    melody = compiled({"a": node})
    played = player.play(melody, {"*": lambda a, s: Failure("exit", "final", retryable=False)})
    assert played.state.nodes["a"].attempt == 1


@pytest.mark.parametrize(
    ("already", "luck", "expected"), [(0, 0.0, 1000), (3, 0.0, 8000), (3, 1.0, 9600), (9, 0.0, 60_000)]
)
def test_delays_grow_and_stay_under_their_maximum(already: int, luck: float, expected: int) -> None:
    assert backoff(Retry(), already, luck) == expected


def test_skip_goes_on_and_its_connections_are_dead(player: Player) -> None:
    melody = compiled({"a": work("./bad", on_error={"skip": True}), "b": work()}, ["a -> b"])
    played = player.play(melody, FUNCTIONS)
    assert played.state.status == "succeeded"
    assert played.statuses == {"a": "failed", "b": "dead"}


def test_skip_with_outputs_keeps_connections_live(player: Player) -> None:
    skip = {"skip": {"outputs": {"value": "${ error.kind }"}}}
    melody = compiled(
        {"a": work("./bad", on_error=skip), "b": work(given=needs("a"))}, outputs={"kind": "${ a.value }"}
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "failed", "b": "succeeded"}
    assert played.outputs == {"kind": "exit"}


def test_an_error_in_a_condition_fails_the_node_and_is_not_retried(player: Player) -> None:
    node = work(when="1 / inputs.zero == 1", on_error={"retry": {"max": 3}})
    melody = compiled({"a": node}, inputs={"zero": {"schema": {"type": "integer"}}})
    played = player.play(melody, FUNCTIONS, inputs={"zero": 0})
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "expression"
    assert played.state.nodes["a"].attempt == 0


def test_an_error_in_a_connection_fails_its_target(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": work()}, [{"from": "a", "to": "b", "when": "1 / (a.value - 1) == 1"}]
    )
    played = player.play(melody, FUNCTIONS)
    assert played.statuses == {"a": "succeeded", "b": "failed"}


STRICT = PackageInterface(
    kind="extension",
    name="strict",
    version="1.0.0",
    inputs={"n": Port({"type": "integer"}), "text": Port({"type": "string"}, False, "x", True)},
    outputs={"value": Port({"type": "integer"}, required=False)},
    parameters={"type": "object", "properties": {"size": {"type": "integer", "default": 4}}},
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


STRICT_WORK = PackageInterface(
    kind="extension",
    name="work",
    version="1.0.0",
    outputs={name: Port({}, required=False) for name in ("value", "other")},
    run="python",
)


def test_an_attempt_ends_at_its_timeout(player: Player) -> None:
    melody = compiled({"a": work("./slow", limits={"timeout": "20ms"})})
    functions: dict[str, NodeFunction] = {"*": forever}
    played = player.play(melody, functions)
    error = played.state.nodes["a"].error
    assert error is not None
    assert error["kind"] == "timeout"


def test_the_total_limit_ends_retries(player: Player) -> None:
    node = work("./bad", limits={"total": "30ms"}, on_error={"retry": {"max": 9, "delay": "1s"}})
    played = player.play(compiled({"a": node}), FUNCTIONS)
    assert played.state.nodes["a"].attempt == 1
    assert played.state.status == "failed"


def test_the_budget_of_the_run_cancels_it(player: Player) -> None:
    melody = compiled({"a": work("./slow")}, config={"budget": {"wall": "30ms"}})
    played = player.play(melody, FUNCTIONS)
    assert played.state.status == "failed"
    assert played.state.error is not None
    assert played.state.error["kind"] == "budget"
    assert played.statuses == {"a": "cancelled"}


def test_the_budget_of_a_loop_ends_it(player: Player) -> None:
    loop = {"while": "true", "max": 9, "budget": {"wall": "30ms"}, "nodes": {"w": work("./slow")}}
    played = player.play(compiled({"fix": loop}), FUNCTIONS)
    error = played.state.nodes["fix"].error
    assert error is not None
    assert error["kind"] == "budget"
    assert played.statuses["fix[0]/w"] == "cancelled"


@pytest.mark.parametrize(("on_max", "status"), [("fail", "failed"), ("accept", "succeeded")])
def test_a_loop_that_reaches_its_maximum(player: Player, on_max: str, status: str) -> None:
    loop = {
        "while": "true",
        "max": 2,
        "on_max": on_max,
        "nodes": {"w": work()},
        "outputs": {"v": "${ w.value }"},
    }
    played = player.play(compiled({"fix": loop}), FUNCTIONS)
    assert played.statuses["fix"] == status


def test_a_loop_without_rounds_gives_what_needs_none(player: Player) -> None:
    loop = {
        "while": "false",
        "max": 2,
        "state": {"n": 5},
        "nodes": {"w": core("set", {"value": "${ state.n }"})},
        "next": {"n": "${ w.value }"},
        "outputs": {"n": "${ state.n }", "v": "${ w.value }"},
    }
    played = player.play(compiled({"fix": loop}, outputs={"n": "${ fix.n }", "v": "${ fix.v }"}), FUNCTIONS)
    assert played.outputs == {"n": 5, "v": None}


def odd_fails(assignment: Assignment, sink: Sink) -> Outcome:
    item = int(str(assignment.inputs["item"]))
    return Failure("exit", "odd") if item % 2 else Success({"value": item})


@pytest.mark.parametrize(("tolerate", "status"), [(1, "failed"), (2, "succeeded")])
def test_a_map_tolerates_so_many_failures(player: Player, tolerate: int, status: str) -> None:
    each = {
        "for_each": {"items": "${ [0, 1, 2, 3, 4] }", "as": "it", "tolerate": tolerate},
        "nodes": {"w": work(given={"item": "${ it }"})},
        "outputs": {"r": "${ w.value }"},
    }
    played = player.play(compiled({"each": each}, outputs={"r": "${ each.r }"}), {"*": odd_fails})
    assert played.statuses["each"] == status
    if status == "succeeded":
        assert played.outputs == {"r": [0, None, 2, None, 4]}
    else:
        assert "each[4]/w" not in played.statuses


def test_too_many_items_are_refused_before_the_first(player: Player) -> None:
    each = {"for_each": {"items": "${ [1, 2, 3] }", "max": 2}, "nodes": {"w": work()}}
    played = player.play(compiled({"each": each}), FUNCTIONS)
    error = played.state.nodes["each"].error
    assert error is not None
    assert error["kind"] == "validation"
    assert not [event for event in played.events if event.type == "scope.round"]


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


def test_core_raise_fails_with_its_kind(player: Player) -> None:
    played = player.play(compiled({"a": core("raise", {"kind": "model", "message": "bad answer"})}))
    error = played.state.nodes["a"].error
    assert error is not None
    assert (error["kind"], error["message"]) == ("model", "bad answer")


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


def test_an_interrupt_halts_and_a_resume_goes_on(player: Player) -> None:
    melody = compiled(
        {"a": work(), "b": work("./slow"), "c": work()}, ["a -> b", "b -> c"], outputs={"v": "${ c.value }"}
    )
    journal = MemoryJournal()

    async def interrupt(conductor: Conductor) -> None:
        while "b" not in conductor.state.running:
            await asyncio.sleep(0)
        conductor.request(Interrupt())

    halted = player.play(melody, FUNCTIONS, journal=journal, during=interrupt)
    assert halted.state.status == "halted"
    assert halted.statuses == {"a": "succeeded", "b": "waiting", "c": "waiting"}
    calls = count(1)
    resumed = player.play(melody, {"*": lambda a, s: {"value": next(calls)}}, journal=journal)
    assert resumed.state.status == "succeeded"
    assert resumed.outputs == {"v": 2}
    assert [event.attempt for event in resumed.events if event.type == "node.started"] == [1, 1, 2, 1]


def test_logs_usage_and_progress_are_kept(player: Player) -> None:
    def talk(assignment: Assignment, sink: Sink) -> JsonObject:
        sink(NodeEvent("log", {"level": "info", "message": "working"}))
        sink(NodeEvent("progress", {"done": 1, "total": 2, "message": "half"}))
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 3, "output_tokens": 4, "usd": "0.10"}))
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 1, "output_tokens": 0, "usd": "0.20"}))
        return {}

    played = player.play(compiled({"a": work()}), {"*": talk})
    assert played.state.usage.input_tokens == 4
    assert str(played.state.usage.usd) == "0.30"
    ended = next(event for event in played.events if event.type == "node.succeeded")
    log = ended.data["log"]
    assert isinstance(log, dict)
    assert log["lines"] == 1
    text = (player.folder / "logs0" / f"{log['digest']}.jsonl").read_text()
    assert '"message":"working"' in text


def test_bounds_of_a_loop_may_be_computed(player: Player) -> None:
    each = {
        "for_each": {"items": "${ [1, 2, 3] }", "max": "${ inputs.most }", "parallel": "${ inputs.most }"},
        "nodes": {"w": work()},
    }
    melody = compiled({"each": each}, inputs={"most": {"schema": {"type": "integer"}}})
    assert player.play(melody, FUNCTIONS, inputs={"most": 3}).state.status == "succeeded"
    for most in (2, 0):
        error = player.play(melody, FUNCTIONS, inputs={"most": most}).state.nodes["each"].error
        assert error is not None
        assert error["kind"] == "validation"


def spending(assignment: Assignment, sink: Sink) -> JsonObject:
    sink(NodeEvent("usage", {"model": "m", "input_tokens": 60, "output_tokens": 0, "usd": "0.60"}))
    return {"value": 1}


@pytest.mark.parametrize("budget", [{"usd": "1.00"}, {"tokens": 100}])
def test_the_run_ends_when_its_budget_is_spent(player: Player, budget: dict[str, object]) -> None:
    melody = compiled(
        {"a": work(), "b": work(), "c": work()}, ["a -> b", "b -> c"], config={"budget": budget}
    )
    played = player.play(melody, {"*": spending})
    assert played.state.status == "failed"
    assert played.state.error is not None
    assert played.state.error["kind"] == "budget"
    assert played.statuses["c"] == "cancelled"


def test_a_loop_ends_when_its_budget_is_spent(player: Player) -> None:
    loop = {"while": "true", "max": 9, "budget": {"usd": "1.00"}, "nodes": {"w": work()}}
    played = player.play(compiled({"fix": loop}), {"*": spending})
    error = played.state.nodes["fix"].error
    assert error is not None
    assert error["kind"] == "budget"
    assert "fix[2]/w" not in played.statuses


def test_a_start_is_on_the_disk_before_the_node_starts(player: Player, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    seen: list[bool] = []

    def look(assignment: Assignment, sink: Sink) -> JsonObject:
        starts = [event.node for event in read_journal(path) if event.type == "node.started"]
        seen.append(assignment.node in starts)
        return {}

    with FileJournal(path) as journal:
        player.play(
            compiled({"a": work(), "b": work(), "c": work()}, ["a -> b"]), {"*": look}, journal=journal
        )
    assert seen == [True, True, True]


def calls_of(player: Player, items: int) -> int:
    """How many Python functions are called for a map over so many items: work without a clock."""
    each = {"for_each": {"items": "${ inputs.items }", "parallel": 16}, "nodes": {"w": core("set", {"n": 1})}}
    melody = compiled({"each": each}, inputs={"items": {"schema": {"type": "array"}}})
    counted = 0

    def count_calls(frame: object, event: str, argument: object) -> None:
        nonlocal counted
        counted += event == "call"

    sys.setprofile(count_calls)
    try:
        player.play(melody, inputs={"items": list(range(items))})
    finally:
        sys.setprofile(None)
    return counted


def test_the_cost_of_an_event_does_not_grow_with_the_run(player: Player) -> None:
    small, large = calls_of(player, 100), calls_of(player, 800)
    assert large < 8.8 * small
