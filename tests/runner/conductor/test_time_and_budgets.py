"""Limits of time, and budgets of time, money and tokens, for nodes, loops and runs (docs/melody.md)."""

from __future__ import annotations

import pytest

from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, NodeEvent, Sink
from polyphony_schemas.values import JsonObject
from support.conductor_functions import FUNCTIONS, forever
from support.conductor_graphs import Player, compiled, work


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
