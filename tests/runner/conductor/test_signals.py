"""Signals inside one run: kept or not, first in first out, and the choice that the world makes (docs/melody.md)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from polyphony_runner.conductor.conductor import CancelRequest, Conductor, Interrupt
from polyphony_runner.conductor.requests import SignalRequest
from polyphony_runner.journal import MemoryJournal
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work


def wait_for(name: str, **further: Any) -> dict[str, Any]:
    return core("wait", {"signal": name, **further})


def sending(*requests: SignalRequest, once: Callable[[Conductor], bool]) -> Callable[[Conductor], Any]:
    """Send signals as soon as the run is where it should be."""

    async def during(conductor: Conductor) -> None:
        while not once(conductor):
            await asyncio.sleep(0)
        for request in requests:
            conductor.request(request)

    return during


def is_waiting(conductor: Conductor) -> bool:
    return conductor.state.status == "waiting"


def signal(name: str, payload: Any = None, *, number: int = 1, persistent: bool = True) -> SignalRequest:
    return SignalRequest(f"s{number}", name, payload, persistent, {"by": "ada"})


def test_a_wait_gets_the_payload(player: Player) -> None:
    melody = compiled({"w": wait_for("go")}, outputs={"v": "${ w.payload }", "late": "${ w.timed_out }"})
    played = player.play(melody, during=sending(signal("go", {"n": 1}), once=is_waiting))
    assert played.outputs == {"v": {"n": 1}, "late": False}
    assert played.events_of("w") == ["node.started", "node.waiting", "signal.received", "node.succeeded"]


def test_persistent_signals_are_kept_in_their_order(player: Player) -> None:
    nodes = {
        "one": core("signal", {"name": "go", "payload": 1}),
        "two": core("signal", {"name": "go", "payload": 2}),
        "a": wait_for("go"),
        "b": wait_for("go"),
    }
    ways = ["one -> two", "two -> a", "a -> b"]
    played = player.play(compiled(nodes, ways, outputs={"a": "${ a.payload }", "b": "${ b.payload }"}))
    assert played.outputs == {"a": 1, "b": 2}


def test_a_transient_signal_goes_to_the_longest_wait_or_nowhere(player: Player) -> None:
    nodes = {
        "lost": core("signal", {"name": "go", "payload": "lost", "persistent": False}),
        "a": wait_for("go"),
        "b": wait_for("go", timeout="30ms"),
        "sent": core("signal", {"name": "go", "payload": "sent", "persistent": False}),
        "pause": core("wait", {"delay": "5ms"}),
    }
    ways = ["lost -> a", "lost -> pause", "pause -> sent", "lost -> b"]
    outputs = {"a": "${ a.payload }", "b": "${ b.timed_out }"}
    played = player.play(compiled(nodes, ways, outputs=outputs))
    assert played.outputs == {"a": "sent", "b": True}


def test_signals_reach_waits_in_other_scopes(player: Player) -> None:
    nodes = {
        "region": {"nodes": {"w": wait_for("go")}, "outputs": {"v": "${ w.payload }"}},
        "rounds": {
            "while": "round < 1",
            "max": 1,
            "nodes": {"s": core("signal", {"name": "go", "payload": "${ round }"})},
        },
    }
    played = player.play(compiled(nodes, outputs={"v": "${ region.v }"}))
    assert played.outputs == {"v": 0}


def test_the_world_chooses_by_the_first_signal(player: Player) -> None:
    """Deferred choice: two waits race into a ``first`` join, the other is withdrawn."""
    nodes = {
        "a": wait_for("yes"),
        "b": wait_for("no"),
        "chosen": core("merge", {"mode": "first"}, join="first"),
    }
    ways = ["a.payload -> chosen.a", "b.payload -> chosen.b"]
    melody = compiled(nodes, ways, outputs={"v": "${ chosen.value }"})
    played = player.play(melody, during=sending(signal("no", "no it is"), once=is_waiting))
    assert played.outputs == {"v": "no it is"}
    assert played.statuses == {"a": "cancelled", "b": "succeeded", "chosen": "succeeded"}


def test_a_signal_for_a_withdrawn_wait_is_there_for_the_next(player: Player) -> None:
    nodes = {
        "a": wait_for("yes"),
        "b": wait_for("no"),
        "chosen": core("set", {"x": 1}, join="first"),
        "again": wait_for("yes"),
    }
    ways = ["a -> chosen", "b -> chosen", "chosen -> again"]
    melody = compiled(nodes, ways, outputs={"v": "${ again.payload }"})
    both = (signal("no", 1, number=1), signal("yes", 2, number=2))
    played = player.play(melody, during=sending(*both, once=is_waiting))
    assert played.statuses["a"] == "cancelled"
    assert played.outputs == {"v": 2}


def test_the_same_signal_counts_once(player: Player) -> None:
    nodes = {"a": wait_for("go"), "b": wait_for("go", timeout="30ms")}
    played = player.play(
        compiled(nodes, ["a -> b"], outputs={"b": "${ b.timed_out }"}),
        during=sending(signal("go", number=7), signal("go", number=7), once=is_waiting),
    )
    assert played.outputs == {"b": True}


@pytest.mark.parametrize(("when", "least"), [({"delay": "40ms"}, 40), ({"at": "2020-01-01T00:00:00Z"}, 0)])
def test_a_wait_for_time(player: Player, when: dict[str, str], least: int) -> None:
    played = player.play(compiled({"w": core("wait", when)}, outputs={"late": "${ w.timed_out }"}))
    took = played.events[-1].at_ms - played.events[0].at_ms
    assert played.outputs == {"late": False}
    assert took >= least
    assert played.state.nodes["w"].busy_ms < 40


@pytest.mark.parametrize("when", [{"at": "tomorrow"}, {"at": "2030-01-01T00:00:00"}, {"delay": "soon"}])
def test_a_time_that_cannot_be_read_fails_the_wait(player: Player, when: dict[str, str]) -> None:
    values = {name: f"${{ inputs.{name} }}" for name in when}
    melody = compiled({"w": core("wait", values)}, inputs={name: {} for name in when})
    played = player.play(melody, inputs=dict(when))
    error = played.state.nodes["w"].error
    assert error is not None
    assert error["kind"] == "validation"


def test_a_delay_that_passed_while_nobody_ran_is_due_at_once(player: Player) -> None:
    melody = compiled(
        {"w": core("wait", {"delay": "200ms"}), "after": core("set", {"n": "${ w.timed_out }"})}
    )
    journal = MemoryJournal()

    async def interrupt(conductor: Conductor) -> None:
        while not is_waiting(conductor):
            await asyncio.sleep(0)
        conductor.request(Interrupt())

    halted = player.play(melody, FUNCTIONS, journal=journal, during=interrupt)
    assert halted.state.status == "halted"
    due = halted.state.timers[0][0]
    again = player.conductor(melody, FUNCTIONS, journal)
    again.clock = lambda: due + 1_000_000

    async def go_on() -> None:
        player.begin(again, {})
        await again.run()

    asyncio.run(go_on())
    assert again.state.status == "succeeded"
    assert again.state.attempts["w"] == 1


def test_a_waiting_node_is_cancelled(player: Player) -> None:
    async def cancel(conductor: Conductor) -> None:
        while not is_waiting(conductor):
            await asyncio.sleep(0)
        conductor.request(CancelRequest("w"))

    nodes = {"w": wait_for("never"), "other": work()}
    played = player.play(compiled(nodes), FUNCTIONS, during=cancel)
    assert played.statuses == {"w": "cancelled", "other": "succeeded"}
    assert not played.state.mail.waiters


def test_a_signal_to_all_runs_is_posted_before_its_node_ends(player: Player) -> None:
    posted: list[str] = []
    melody = compiled({"s": core("signal", {"name": "go", "payload": 1, "to": "melody"})})
    conductor = player.conductor(melody, {}, MemoryJournal())

    async def post(signal: Any) -> int:
        posted.append(signal.id)
        assert conductor.state.nodes["s"].status == "running"
        return 3

    conductor.post = post

    async def run() -> None:
        player.begin(conductor, {})
        await conductor.run()

    asyncio.run(run())
    last = [event for event in conductor.journal.events() if event.type == "node.succeeded"][-1]
    assert (posted, last.data["reached"]) == (["/s#1"], 3)


def test_what_was_left_for_a_run_is_taken_in_before_anything_else(player: Player) -> None:
    """A journal that forgets messages with its next append must not forget one that is not in it."""

    def at_once(conductor: Conductor) -> Any:
        conductor.request(signal("go"))
        return asyncio.sleep(0)

    played = player.play(compiled({"a": work(), "w": wait_for("go")}), during=at_once)
    assert [event.type for event in played.events[:3]] == ["run.created", "run.started", "signal.received"]
