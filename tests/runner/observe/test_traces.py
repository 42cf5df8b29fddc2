"""Traces: a run is one, attempts are spans inside those of their scopes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal import Event
from polyphony_runner.observe.traces import Traces, asked_for, missing, provider_for, trace_id
from polyphony_schemas.graph.model import CompiledMelody
from support.conductor_graphs import Player, compiled, work
from support.observed_runs import RUN, mixed, told


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def traced(player: Player, melody: CompiledMelody, functions: dict[str, NodeFunction]) -> list[Any]:
    exporter = InMemorySpanExporter()
    provider = provider_for(RUN)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces = Traces(provider)
    told(player, melody, functions, traces)
    traces.close()
    return list(exporter.get_finished_spans())


def test_a_run_is_one_trace_with_attempts_inside_their_scopes(player: Player) -> None:
    spans = traced(player, *mixed())
    by_name: dict[str, list[Any]] = {}
    for span in spans:
        by_name.setdefault(span.name, []).append(span)
    (root,), (each,) = by_name['a "tested" one'], by_name["each"]
    assert {span.context.trace_id for span in spans} == {trace_id(RUN)}
    assert root.parent is None
    assert each.parent.span_id == root.context.span_id
    assert by_name["each[2]/check"][0].parent.span_id == each.context.span_id
    assert by_name["each[2]/check"][0].status.status_code is StatusCode.ERROR
    assert by_name["each[2]/check"][0].attributes["error.type"] == "model"
    assert [span.attributes["polyphony.attempt"] for span in by_name["flaky"]] == [1, 2]
    assert [span.attributes["polyphony.status"] for span in by_name["flaky"]] == ["retrying", "succeeded"]
    assert all(span.end_time >= span.start_time for span in spans)
    assert root.end_time == max(span.end_time for span in spans)


def test_traces_are_made_only_where_somebody_says_whereto() -> None:
    assert not asked_for({})
    assert not asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": ""})
    assert asked_for({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"})
    assert not asked_for(
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}
    )
    assert missing() == []


def test_a_run_that_halts_ends_its_spans(player: Player) -> None:
    exporter = InMemorySpanExporter()
    provider = provider_for("r_none")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    traces = Traces(provider)
    state: RunState = player.fresh(compiled({"a": work()}))
    for number, event in enumerate(
        (
            Event(0, 0, "run.created", data={"inputs": {}}),
            Event(1, 1, "run.started"),
            Event(2, 2, "node.ready", "a", None, {"inputs": {}}),
            Event(3, 3, "node.started", "a", 1),
            Event(4, 9, "run.halted", data={"reason": "interrupted"}),
        )
    ):
        assert event.seq == number
        evolve(state, event)
        traces(event, state)
    assert [(span.name, span.end_time) for span in exporter.get_finished_spans()] == [
        ("a", 9_000_000),
        ("run", 9_000_000),
    ]
    traces.close()
