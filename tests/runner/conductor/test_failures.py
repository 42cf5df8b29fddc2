"""Failures, retries and skips, and what they do to the rest of a run (docs/melody.md)."""

from __future__ import annotations

import pytest

from polyphony_runner.conductor.failures import backoff
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from polyphony_schemas.graph.model import Retry
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, needs, work


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


def test_core_raise_fails_with_its_kind(player: Player) -> None:
    played = player.play(compiled({"a": core("raise", {"kind": "model", "message": "bad answer"})}))
    error = played.state.nodes["a"].error
    assert error is not None
    assert (error["kind"], error["message"]) == ("model", "bad answer")
