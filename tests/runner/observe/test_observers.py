"""What others may watch of runs: metrics and structured logs, each made from the journal's events alone."""

from __future__ import annotations

import json
import logging
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.observe.metrics import Metrics
from polyphony_runner.observe.serving import serving
from polyphony_runner.observe.structured import JsonFormatter, StructuredLog
from support.conductor_graphs import Player, compiled, work
from support.observed_runs import mixed, told

SAMPLE = re.compile(r'[a-z_]+(\{[a-z]+="(\\.|[^"\\])*"(,[a-z]+="(\\.|[^"\\])*")*\})? -?[0-9.]+')


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)


def test_metrics_count_attempts_spending_and_runs(player: Player, tmp_path: Path) -> None:
    metrics = Metrics()
    told(player, *mixed(), metrics)
    text = metrics.text()
    melody = r'melody="a \"tested\" one"'
    for line in (
        f'polyphony_runs_total{{{melody},status="succeeded"}} 1',
        f'polyphony_node_attempts_total{{{melody},status="succeeded"}} 5',
        f'polyphony_node_attempts_total{{{melody},status="failed"}} 1',
        f'polyphony_node_attempts_total{{{melody},status="retried"}} 1',
        f"polyphony_node_seconds_count{{{melody}}} 7",
        f'polyphony_node_seconds_bucket{{{melody},le="+Inf"}} 7',
        f'polyphony_tokens_total{{{melody},direction="input"}} 11',
        f"polyphony_usd_total{{{melody}}} 0.30",
        "polyphony_nodes_running 0",
    ):
        assert line in text.splitlines()
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all(SAMPLE.fullmatch(line.replace("+Inf", "Inf")) for line in samples)
    assert text.count("# TYPE ") == text.count("# HELP ")
    metrics.write(tmp_path / "polyphony.prom")
    assert (tmp_path / "polyphony.prom").read_text() == text
    assert (tmp_path / "polyphony.prom").stat().st_mode & 0o777 == 0o644


def test_what_is_running_is_counted_until_it_ends_or_goes_elsewhere(player: Player) -> None:
    metrics = Metrics()
    melody = compiled({"a": work()})
    state = player.fresh(melody)
    events = player.play(melody).events
    for event in events:
        evolve(state, event)
        metrics(event, state)
        if event.type == "node.started":
            assert "polyphony_nodes_running 1" in metrics.text()
            break
    metrics.forget(str(state.created.get("run", "")))
    assert "polyphony_nodes_running 0" in metrics.text()


def test_metrics_are_served_to_prometheus_and_nothing_else_is() -> None:
    with serving(Metrics().text, "127.0.0.1", 0) as port:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert b"# TYPE polyphony_runs_total counter" in answer.read()
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30)
        refused.value.close()
        assert refused.value.code == 404


def test_structured_logs_are_one_object_a_line_with_level_and_node(player: Player) -> None:
    lines: list[str] = []
    told(player, *mixed(), StructuredLog(lines.append))
    entries = [json.loads(line) for line in lines]
    assert all({"at", "level", "event", "run", "melody"} <= entry.keys() for entry in entries)
    assert [entries[0]["event"], entries[-1]["event"]] == ["run.created", "run.finished"]
    assert entries[-1]["status"] == "succeeded"
    (failed,) = [entry for entry in entries if entry["event"] == "node.failed"]
    assert (failed["node"], failed["level"], failed["kind"]) == ("each[2]/check", "error", "model")
    (again,) = [entry for entry in entries if entry["event"] == "node.retrying"]
    assert (again["level"], again["message"]) == ("warning", "no")
    assert not [entry for entry in entries if entry["level"] == "debug"]


def test_debug_lines_and_records_of_logging_have_the_same_shape(player: Player) -> None:
    lines: list[str] = []
    told(
        player,
        compiled({"a": work()}),
        {"*": lambda assignment, sink: {}},
        StructuredLog(lines.append, debug=True),
    )
    assert "node.started" in {json.loads(line)["event"] for line in lines}
    record = logging.LogRecord("polyphony", logging.WARNING, "", 0, "took %d s\n", (3,), None)
    entry = json.loads(JsonFormatter().format(record))
    assert (entry["level"], entry["event"], entry["message"]) == ("warning", "log", "took 3 s\n")
