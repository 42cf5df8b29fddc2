"""Runs whose events are shown to observers, as they would see them while the run goes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.journal import Event
from polyphony_runner.runtimes.protocol import Failure, NodeEvent
from polyphony_schemas.graph.model import CompiledMelody
from support.conductor_graphs import Player, compiled, work

RUN = "r_" + "0" * 25 + "z"


def told(
    player: Player, melody: CompiledMelody, functions: dict[str, NodeFunction], *observers: Any
) -> list[Event]:
    """Let observers see the events of a run, as they would while it goes on."""
    events = player.play(melody, functions).events
    state = player.fresh(melody)
    for event in events:
        evolve(state, event)
        if event.type == "run.created":
            state.created = {**state.created, "run": RUN, "name": 'a "tested" one'}
        for observer in observers:
            observer(event, state)
    return events


def mixed() -> tuple[CompiledMelody, dict[str, NodeFunction]]:
    """Four items of which one fails, a node that is retried once, one that spends."""
    each = {
        "for_each": {"items": "${ [1, 2, 3, 4] }", "as": "n", "tolerate": 1},
        "nodes": {"check": work(given={"n": "${ n }"})},
    }
    tries: list[int] = []

    def flaky(assignment: Any, sink: Any) -> Any:
        tries.append(1)
        return Failure("network", "no") if len(tries) == 1 else {}

    def spend(assignment: Any, sink: Callable[[NodeEvent], None]) -> Any:
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 10, "output_tokens": 3, "usd": "0.10"}))
        sink(NodeEvent("usage", {"model": "m", "input_tokens": 1, "output_tokens": 0, "usd": "0.20"}))
        return {}

    def third(assignment: Any, sink: Any) -> Any:
        return Failure("model", "no good") if assignment.inputs["n"] == 3 else {}

    melody = compiled(
        {
            "each": each,
            "flaky": work("./slow", on_error={"retry": {"max": 1, "delay": "0s"}}),
            "spend": work("./count"),
        }
    )
    return melody, {"./slow": flaky, "./count": spend, "*": third}
