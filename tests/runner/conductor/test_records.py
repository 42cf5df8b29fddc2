"""What a run writes down while it goes: starts, interrupts, logs and usage, at a cost that does not grow."""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from pathlib import Path

from polyphony_runner.conductor.conductor import Conductor, Interrupt
from polyphony_runner.journal import FileJournal, MemoryJournal, read_journal
from polyphony_runner.runtimes.protocol import Assignment, NodeEvent, Sink
from polyphony_schemas.values import JsonObject
from support.conductor_functions import FUNCTIONS
from support.conductor_graphs import Player, compiled, core, work


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
