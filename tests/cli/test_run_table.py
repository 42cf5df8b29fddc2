"""``show``: nodes with their place in time; what a scope did many times is one row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from polyphony_cli.run_table import table
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal import Event
from polyphony_runner.observe.spans import Span, Spans
from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.graph.model import CompiledMelody
from support.conductor_graphs import Player, compiled, work


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def told(
    player: Player, melody: CompiledMelody, functions: dict[str, NodeFunction]
) -> tuple[RunState, list[Span]]:
    played = player.play(melody, functions)
    spans = Spans()
    return played.state, [span for event in played.events for span in spans.feed(event)]


def nothing(assignment: object, sink: object) -> dict[str, Any]:
    return {}


def test_many_items_are_one_row_with_the_failed_ones_below(player: Player) -> None:
    def tenth(assignment: Any, sink: object) -> Any:
        return Failure("model", "no good", trace="first\nlast") if assignment.inputs["n"] % 10 == 0 else {}

    each = {
        "for_each": {"items": "${ numbers.list }", "as": "n", "parallel": 4, "tolerate": 99},
        "nodes": {"check": work(given={"n": "${ n }"})},
    }
    melody = compiled({"numbers": work("./count"), "each": each})
    functions: dict[str, NodeFunction] = {
        "./count": lambda assignment, sink: {"list": list(range(100))},
        "*": tenth,
    }
    lines = list(table(*told(player, melody, functions), width=120))
    assert sum("each[" in line for line in lines) == 10
    assert any("each/check ×100" in line and "10 failed, 90 succeeded" in line for line in lines)
    assert sum(line.strip() == "last" for line in lines) == 1
    assert lines.index("        last") == lines.index("        first") + 1


@pytest.mark.parametrize("width", [20, 60, 79, 100, 300])
def test_a_table_for_any_width_names_every_node(player: Player, width: int) -> None:
    melody = compiled({"a": work(), "quite_a_long_name": work()}, ["a -> quite_a_long_name"])
    lines = list(table(*told(player, melody, {"*": nothing}), width=width))
    assert len(lines) == 2
    assert all("succeeded" in line for line in lines)
    assert all(("━" in line) == (width >= 79) for line in lines)


def events(*facts: tuple[int, str, str | None, int | None, dict[str, Any]]) -> list[Event]:
    return [Event(seq, *fact) for seq, fact in enumerate(facts)]  # type: ignore[arg-type]  # types of events as written


def test_spans_tell_attempts_retries_and_what_a_crash_took() -> None:
    spans = Spans()
    given = events(
        (0, "run.started", None, None, {}),
        (10, "node.started", "a", 1, {}),
        (30, "node.retrying", "a", 1, {"error": {"kind": "network", "message": "no"}, "delay_ms": 1}),
        (40, "node.started", "a", 2, {}),
        (50, "node.started", "b", 1, {}),
        (9_000, "run.resumed", None, None, {}),
        (9_010, "node.started", "a", 3, {}),
        (9_020, "node.succeeded", "a", 3, {}),
        (9_030, "node.succeeded", "c", None, {"cached": True}),
    )
    found = [span for event in given for span in spans.feed(event)]
    assert [(one.node, one.attempt, one.status, one.started_ms, one.ended_ms) for one in found] == [
        ("a", 1, "retrying", 10, 30),
        ("a", 2, "lost", 40, 50),
        ("a", 3, "succeeded", 9_010, 9_020),
        ("c", None, "succeeded", 9_030, 9_030),
    ]
    assert [one.paused_ms for one in found] == [0, 0, 8_950, 8_950]
    assert [(one.node, one.status) for one in spans.unfinished()] == [("b", "running")]


def test_what_is_inside_stands_below_its_scope_and_the_rest_in_the_order_of_starts(player: Player) -> None:
    block = {"nodes": {"inner": work()}}
    nodes = {"z": work(), "block": block, "a": work(), "never": {**work(), "when": "false"}}
    melody = compiled(nodes, ["z -> block", "block -> a"])
    lines = list(table(*told(player, melody, {"*": nothing}), width=20))
    assert [line.split()[1] for line in lines] == ["z", "block", "block/inner", "a", "never"]


def test_a_trace_keeps_its_indentation(player: Player) -> None:
    def fails(assignment: object, sink: object) -> Any:
        return Failure("exit", "no", trace="Traceback:\n  File x\n    call()\n    ^^^^^^")

    lines = list(table(*told(player, compiled({"a": work()}), {"*": fails}), width=60))
    assert lines[-4:] == [
        "        Traceback:",
        "          File x",
        "            call()",
        "            ^^^^^^",
    ]
