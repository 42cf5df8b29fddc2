"""Budgets of tokens and USD: reserved before a node starts, settled afterwards (docs/melody.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.journal import MemoryJournal
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Sink, Success
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonObject
from support.conductor_graphs import PACKAGES, Played, Player, compiled, work

MODEL: Mapping[str, PackageInterface] = {
    **PACKAGES,
    "polyphony/llm@^1": PACKAGES["./work"],
    "acme/llm@^1": PACKAGES["./work"],
}
TRUSTED, OTHER = "polyphony/llm@^1", "acme/llm@^1"


def node(usd: str | None = None, uses: str = TRUSTED, **keys: Any) -> dict[str, Any]:
    limits = {} if usd is None else {"limits": {"usd": usd}}
    return work(uses, permissions={"models": ["m"]}, **limits, **keys)


def spends(usd: str) -> NodeFunction:
    async def function(assignment: Assignment, sink: Sink) -> JsonObject:
        await asyncio.sleep(0.001)
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 10, "output_tokens": 0, "usd": usd}))
        return {"value": 1}

    return function


def play(player: Player, nodes: Mapping[str, Any], usd: str, spent: str, **keys: Any) -> Played:
    config = {"budget": {"usd": usd}, "permissions": {"models": ["m"]}, **keys.pop("config", {})}
    melody = compiled(nodes, keys.pop("connections", ()), config=config, packages=MODEL)
    return player.play(melody, {"*": spends(spent)}, **keys)


def most_at_once(played: Played) -> int:
    most = now = 0
    for event in played.events:
        now += (event.type == "node.started") - (event.type in ("node.succeeded", "node.failed"))
        most = max(most, now)
    return most


def error_of(played: Played, path: str) -> tuple[object, object]:
    error = played.state.nodes[path].error
    assert error is not None
    return error["kind"], error["message"]


def test_reservations_that_fit_run_side_by_side(player: Player) -> None:
    played = play(player, {name: node("0.30") for name in "abc"}, "1.00", "0.10")
    assert most_at_once(played) == 3
    assert played.state.status == "succeeded"
    started = next(event for event in played.events if event.type == "node.started")
    assert started.data["reserved"] == {"usd": "0.30"}


def test_what_does_not_fit_waits_until_something_is_settled(player: Player) -> None:
    played = play(player, {name: node("0.60") for name in "abc"}, "1.00", "0.10")
    assert most_at_once(played) == 1
    assert played.order("node.waiting") == ["b", "c"]
    assert played.state.status == "succeeded"


def test_the_run_stops_before_the_overrun(player: Player) -> None:
    played = play(player, {name: node("0.60") for name in "abc"}, "1.00", "0.50")
    assert played.statuses == {"a": "succeeded", "b": "failed", "c": "failed"}
    assert played.order() == ["a"]
    assert error_of(played, "b") == (
        "budget",
        "may spend 0.60 usd, but the run's budget has 0.50 of 1.00 left",
    )
    assert str(played.state.usage.usd) == "0.50"
    assert played.state.status == "failed"


def test_without_a_limit_all_that_is_left_is_reserved(player: Player) -> None:
    played = play(player, {name: node() for name in "abc"}, "1.00", "0.40")
    assert most_at_once(played) == 1
    reserved = [event.data.get("reserved") for event in played.events if event.type == "node.started"]
    assert reserved == [{"usd": "1.00"}, {"usd": "0.60"}, {"usd": "0.20"}]


def test_nothing_starts_when_nothing_is_left(player: Player) -> None:
    played = play(player, {name: node() for name in "abc"}, "1.00", "0.50")
    assert played.order() == ["a", "b"]
    assert error_of(played, "c") == ("budget", "nothing is left of the run's budget of 1.00 usd")


def test_nodes_that_cannot_reach_a_model_reserve_nothing(player: Player) -> None:
    played = play(player, {"a": node(), "b": work(), "c": work()}, "1.00", "0.00")
    assert most_at_once(played) == 3


@pytest.mark.parametrize(("uses", "order"), [(TRUSTED, ["a", "b"]), (OTHER, ["a"]), ("./work", ["a"])])
def test_reports_that_are_not_trusted_settle_at_the_reservation(
    player: Player, uses: str, order: list[str]
) -> None:
    nodes = {name: node("0.60", uses) for name in "ab"}
    played = play(player, nodes, "1.00", "0.01")
    assert played.order() == order


def test_the_settings_say_whose_reports_are_trusted(player: Player) -> None:
    config = {"budget": {"usd": "1.00"}, "permissions": {"models": ["m"]}}
    melody = compiled({name: node("0.60", OTHER) for name in "ab"}, config=config, packages=MODEL)
    conductor = player.conductor(melody, {"*": spends("0.01")}, MemoryJournal())
    from polyphony_runner.conductor.moment import Draft

    created: JsonObject = {"inputs": {}, "usage_trusted": ["acme/*"]}
    conductor.record(Draft("run.created", data=created), Draft("run.started"))
    asyncio.run(conductor.run())
    assert conductor.state.status == "succeeded"


def test_a_package_in_place_of_a_trusted_one_is_not_trusted(player: Player) -> None:
    from polyphony_runner.conductor.budgets import trusted

    melody = compiled({"a": node()}, config={"permissions": {"models": ["m"]}}, packages=MODEL)
    played = player.play(melody, {"*": spends("0")})
    state = played.state
    assert trusted(state, state.nodes["a"])
    state.created = {**state.created, "packages": {TRUSTED: {"name": "llm", "local": True}}}
    assert not trusted(state, state.nodes["a"])


def test_the_budget_of_a_scope_bounds_what_is_inside(player: Player) -> None:
    each = {
        "for_each": {"items": [1, 2, 3], "parallel": 3, "tolerate": 3},
        "budget": {"usd": "1.00"},
        "nodes": {"w": node("0.40")},
    }
    played = play(player, {"each": each}, "9.00", "0.40")
    assert most_at_once(played) <= 3
    assert played.order() == ["each", "each[0]/w", "each[1]/w"]
    assert error_of(played, "each[2]/w") == (
        "budget",
        "may spend 0.40 usd, but the budget of each has 0.20 of 1.00 left",
    )


def test_an_attempt_that_passes_its_own_limit_is_ended(player: Player) -> None:
    async def greedy(assignment: Assignment, sink: Sink) -> JsonObject:
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 60, "output_tokens": 50}))
        await asyncio.sleep(3600)
        return {}

    retry = {"retry": {"max": 2, "delay": "1ms"}}
    melody = compiled({"a": work(limits={"tokens": 100}, on_error=retry)})
    played = player.play(melody, {"*": greedy})
    assert error_of(played, "a") == ("budget", "the attempt spent 110 tokens, its limit is 100")
    assert played.state.nodes["a"].attempt == 1


def test_a_limit_for_every_node_is_reserved_by_those_that_may_spend(player: Player) -> None:
    config = {"limits": {"usd": "0.50"}}
    played = play(player, {name: node() for name in "abc"}, "1.00", "0.10", config=config)
    assert most_at_once(played) == 2


def test_a_failed_attempt_gives_back_what_it_did_not_spend(player: Player) -> None:
    def flaky(assignment: Assignment, sink: Sink) -> Outcome:
        return Success({}) if assignment.attempt > 1 else Failure("network", "away")

    retry = {"retry": {"max": 1, "delay": "1ms"}}
    config = {"budget": {"usd": "1.00"}, "permissions": {"models": ["m"]}}
    melody = compiled({name: node("0.60", on_error=retry) for name in "ab"}, config=config, packages=MODEL)
    assert player.play(melody, {"*": flaky}).state.status == "succeeded"


def test_what_is_taken_back_needs_no_budget(player: Player) -> None:
    nodes = {"a": node("1.00", undo="back"), "back": node("1.00"), "z": node("0.50")}
    played = play(player, nodes, "1.00", "1.00", connections=["a -> z"])
    assert played.statuses == {"a": "succeeded", "z": "failed", "back": "succeeded"}


@pytest.mark.parametrize(("uses", "status"), [(TRUSTED, "succeeded"), (OTHER, "failed")])
def test_an_attempt_that_was_lost_settles_by_trust(player: Player, uses: str, status: str) -> None:
    config = {"budget": {"usd": "1.00"}, "permissions": {"models": ["m"]}}
    melody, journal = compiled({"a": node("0.60", uses)}, config=config, packages=MODEL), MemoryJournal()

    async def dies() -> None:
        async def forever(assignment: Assignment, sink: Sink) -> JsonObject:
            await asyncio.sleep(3600)
            return {}

        conductor: Conductor = player.conductor(melody, {"*": forever}, journal)
        player.begin(conductor, {})
        task = asyncio.ensure_future(conductor.run())
        while not conductor.state.running:
            await asyncio.sleep(0)
        task.cancel()
        await conductor.executor.close()

    asyncio.run(dies())
    played = player.play(melody, {"*": spends("0.10")}, journal=journal)
    assert played.state.status == status


def test_many_nodes_in_line_cost_little(player: Player) -> None:
    each = {
        "for_each": {"items": list(range(300)), "parallel": 300, "max": 300},
        "nodes": {"w": node("0.60")},
    }
    played = play(player, {"each": each}, "1.00", "0.00")
    assert played.state.status == "succeeded"
    assert len(played.order("node.waiting")) < 2 * 300
