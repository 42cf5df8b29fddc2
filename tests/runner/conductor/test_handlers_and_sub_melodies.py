"""Handlers, locks and budgets inside melodies that are nodes, and melodies that are handlers (docs/melody.md)."""

from __future__ import annotations

from typing import Any

from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from support.conductor_graphs import Player, linked, work


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("network", "away")


def given(assignment: Assignment, sink: Sink) -> Outcome:
    return Success({"value": dict(assignment.inputs) or assignment.node})


FUNCTIONS: dict[str, NodeFunction] = {"./bad": failing, "*": given}
PAIR: dict[str, Any] = {
    "nodes": {"call": work(undo="back"), "back": work(given={"was": "${ undone.outputs.value }"})},
    "outputs": {"value": "${ call.value }"},
}


def using(uses: str = "./sub", **keys: Any) -> dict[str, Any]:
    return {"uses": uses, **keys}


def test_what_a_sub_melody_completed_is_undone_with_the_run(player: Player) -> None:
    nodes = {"one": using(), "two": using(undo="whole"), "whole": work(), "z": work("./bad")}
    root = {"nodes": nodes, "connections": ["one -> two", "two -> z"]}
    played = player.play(linked(root, {"./sub": PAIR}), FUNCTIONS)
    assert played.order("undo.done") == ["two", "two/call", "one/call"]
    assert played.state.nodes["one/back"].outputs["value"] == {"was": "one/call"}


def test_a_sub_melody_stands_in_for_a_node(player: Player) -> None:
    spare = {
        "inputs": {"text": {}},
        "nodes": {"w": work(given={"got": "${ inputs.text }"})},
        "outputs": {name: f"${{ w.{name} }}" for name in ("value", "other", "list")},
    }
    nodes = {"a": work("./bad", {"text": "hi"}, on_error={"fallback": ["s"]}), "s": using("./spare")}
    root = {"nodes": nodes, "outputs": {"x": "${ a.value }"}}
    played = player.play(linked(root, {"./spare": spare}), FUNCTIONS)
    assert played.outputs == {"x": {"got": "hi"}}
    assert played.state.nodes["a"].by == "s"


def test_a_sub_melody_cleans_up(player: Player) -> None:
    clean = {"inputs": {"why": {}}, "nodes": {"w": work(given={"why": "${ inputs.why }"})}}
    nodes = {
        "a": work("./bad", on_error={"compensate": "c"}),
        "c": {**using("./clean"), "with": {"why": "${ error.kind }"}},
    }
    played = player.play(linked({"nodes": nodes}, {"./clean": clean}), FUNCTIONS)
    assert played.state.nodes["c/w"].outputs["value"] == {"why": "network"}
    assert played.state.status == "failed"


def test_a_halt_inside_halts_the_run_and_goes_on_there(player: Player) -> None:
    sub = {"nodes": {"x": work("./bad", on_error={"halt": {}})}}
    melody, journal = linked({"nodes": {"a": using()}}, {"./sub": sub}), MemoryJournal()
    assert player.play(melody, FUNCTIONS, journal=journal).state.halt["node"] == "a/x"
    played = player.play(melody, {"*": given}, journal=journal)
    assert played.statuses == {"a": "succeeded", "a/x": "succeeded"}


def test_locks_reach_over_melodies_and_a_scope_lends_its_own(player: Player) -> None:
    sub = {"nodes": {"x": work(mutex="m")}}
    root = {"nodes": {"a": using(mutex="m"), "b": using(), "c": work(mutex="m")}}
    played = player.play(linked(root, {"./sub": sub}), FUNCTIONS)
    assert played.state.status == "succeeded"
    order = [(event.type, event.node) for event in played.events]
    ended = order.index(("node.succeeded", "a"))
    assert order.index(("node.started", "b/x")) > ended
    assert order.index(("node.started", "c")) > ended


def test_the_budget_of_a_sub_melody_is_reserved(player: Player) -> None:
    sub = {
        "nodes": {name: work(limits={"usd": "0.60"}) for name in "xyz"},
        "config": {"budget": {"usd": "1.00"}},
    }
    played = player.play(linked({"nodes": {"a": using()}}, {"./sub": sub}), FUNCTIONS)
    # What ./work reports is not trusted, so it settles at its reservation.
    assert [played.statuses[f"a/{name}"] for name in "xyz"] == ["succeeded", "failed", "failed"]
    assert played.order("node.waiting") == ["a/y", "a/z"]
