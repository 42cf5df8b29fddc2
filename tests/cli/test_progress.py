"""What a person sees while a run goes on: lines where there is no terminal, a live region where there is one."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console as Terminal

from polyphony_cli.console import Console
from polyphony_cli.live_view import LiveView
from polyphony_cli.run_view import PlainView, SilentView, view_for
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal import Event
from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.graph.model import CompiledMelody
from support.conductor_graphs import Played, Player, compiled, work


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def mapped(count: int, **keys: Any) -> CompiledMelody:
    each = {
        "for_each": {"items": "${ numbers.list }", "as": "n", "parallel": 8, **keys},
        "nodes": {"check": work(given={"n": "${ n }"})},
    }
    return compiled({"numbers": work("./count"), "each": each})


def numbers(count: int) -> NodeFunction:
    return lambda assignment, sink: {"list": list(range(count))}


def nothing(assignment: object, sink: object) -> dict[str, Any]:
    return {}


def shown(player: Player, melody: CompiledMelody, events: Iterable[Event], view: Any) -> RunState:
    """The state after letting a view see these events, as it would have while they came to pass."""
    state = player.fresh(melody)
    with view.around():
        for event in events:
            evolve(state, event)
            view(event, state)
    return state


def plain_lines(
    player: Player, melody: CompiledMelody, played: Played, capsys: pytest.CaptureFixture[str]
) -> list[str]:
    shown(player, melody, played.events, PlainView(Console()))
    return capsys.readouterr().err.splitlines()


def test_a_map_of_thousands_of_items_prints_a_few_lines(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    melody = mapped(2_000)
    played = player.play(melody, {"./count": numbers(2_000), "*": nothing})
    lines = plain_lines(player, melody, played, capsys)
    assert len(lines) < 30
    assert lines[1].startswith("✓ each[")
    assert any(line == "✓ each/check  1,000 succeeded" for line in lines)
    assert "2,000 of 2,000 items" in lines[-1]


def test_failures_among_many_items_are_told_apart_from_the_rest(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    def third(assignment: Any, sink: object) -> Any:
        return Failure("model", "no good") if assignment.inputs["n"] % 3 == 0 else {}

    melody = mapped(100, tolerate=100)
    played = player.play(melody, {"./count": numbers(100), "*": third})
    lines = plain_lines(player, melody, played, capsys)
    assert "✗ each/check  20 failed" in lines
    assert sum(line.startswith("✗ each[") for line in lines) == 10
    assert "✗ each/check  34 failed" in lines
    assert any("66 of 100 items, 34 failed" in line for line in lines)


def test_what_is_asked_and_signalled_and_undone_has_a_line(
    player: Player, capsys: pytest.CaptureFixture[str]
) -> None:
    melody = compiled(
        {
            "ask": {"uses": "core/approve", "with": {"question": "Really?", "timeout": "0s"}},
            "deploy": work(undo="revert"),
            "revert": work("./echo"),
            "bad": work("./bad", on_error={"retry": {"max": 1, "delay": "0s"}}),
        },
        ["deploy -> bad"],
    )
    functions: dict[str, NodeFunction] = {
        "./bad": lambda assignment, sink: Failure("model", "no good"),
        "*": nothing,
    }
    text = "\n".join(plain_lines(player, melody, player.play(melody, functions), capsys))
    assert "○ ask  asks until " in text
    assert "Really?  (polyphony approve RUN ask)" in text
    assert "↻ bad  again in 0.0 s: model: no good" in text
    assert "↺ deploy  undone by revert" in text


def test_nothing_is_said_when_nothing_is_to_be_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(view_for(Console(quiet=True), tty=True), SilentView)
    assert isinstance(view_for(Console(quiet=True), tty=False), SilentView)
    assert capsys.readouterr().err == ""


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(view_for(Console(), tty=True), PlainView)


def terminal(width: int = 100, height: int = 24, encoding: str = "utf-8") -> Terminal:
    return Terminal(
        file=io.TextIOWrapper(io.BytesIO(), encoding),
        force_terminal=True,
        width=width,
        height=height,
        color_system=None,
        highlight=False,
    )


def region(view: LiveView, screen: Terminal) -> list[str]:
    with screen.capture() as captured:
        screen.print(view.region())
    return captured.get().splitlines()


def halfway(player: Player, count: int, screen: Terminal) -> LiveView:
    """The view of a map when half of its items have ended and eight are running."""
    melody = mapped(count)
    played = player.play(melody, {"./count": numbers(count), "*": nothing})
    ended = [
        number
        for number, one in enumerate(played.events)
        if one.type == "scope.closed" and "[" in str(one.node)
    ]
    state = player.fresh(melody)
    now = [0]
    view = LiveView(screen, clock=lambda: now[0])
    for event in played.events[: ended[count // 2]]:
        evolve(state, event)
        view(event, state)
    now[0] = state.now_ms
    return view


def test_a_big_map_is_one_row_with_its_running_items_below(player: Player) -> None:
    screen = terminal()
    lines = region(halfway(player, 400, screen), screen)
    assert lines[0].startswith("▸ each  ━━━━━━━━━━──────────  200 of 400 items  ")
    assert 1 < len(lines) <= 18
    assert "succeeded" in lines[-1]


@pytest.mark.parametrize("width", [12, 20, 40, 200])
@pytest.mark.parametrize("height", [3, 8, 50])
def test_the_region_fits_any_terminal(player: Player, width: int, height: int) -> None:
    screen = terminal(width, height)
    lines = region(halfway(player, 40, screen), screen)
    assert len(lines) <= max(3, height)
    assert all(len(line) <= width for line in lines)


def test_a_terminal_without_our_signs_gets_a_bar_it_can_draw(player: Player) -> None:
    screen = terminal(encoding="ascii")
    assert "##########----------" in region(halfway(player, 100, screen), screen)[0]


def test_names_and_messages_cannot_move_the_cursor(player: Player) -> None:
    melody = compiled({"a": work()})

    def talk(assignment: Any, sink: Any) -> Any:
        from polyphony_runner.runtimes.protocol import NodeEvent

        sink(NodeEvent("progress", {"done": 1, "total": 4, "message": "\x1b[2J世界"}))
        return Failure("exit", "\x1b]0;title\x07")

    played = player.play(melody, {"*": talk})
    screen = terminal()
    view = LiveView(screen)
    state = player.fresh(melody)
    for event in played.events:
        evolve(state, event)
        view(event, state)
        if event.type == "node.progress":
            assert "1 of 4  \\x1b[2J世界" in region(view, screen)[0]
    with screen.capture() as captured, view.around():
        pass
    assert "\\x1b]0;title\\x07" in captured.get()


def test_painting_costs_nothing_for_events(player: Player) -> None:
    """An event changes lists and counts; only the painter's thread writes."""
    screen = terminal()
    halfway(player, 200, screen)
    screen.file.flush()
    assert isinstance(screen.file, io.TextIOWrapper)
    assert screen.file.buffer.tell() == 0
