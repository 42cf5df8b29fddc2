"""``signal`` and ``approve`` reach a run in whatever process it is, or its journal when it is in none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support import client_cli

MELODY = """\
melody: v1
name: waits
version: 1.0.0
nodes:
  go: {uses: core/wait, with: {signal: go}}
  ask: {uses: core/approve, with: {question: "Deploy?"}}
connections: [go -> ask]
outputs: {payload: "${ go.payload }", approved: "${ ask.approved }", by: "${ ask.by }", comment: "${ ask.comment }"}
"""
SENDER = """\
melody: v1
name: waits
version: 1.0.0
nodes:
  all: {uses: core/signal, with: {name: go, payload: everybody, to: melody}}
"""
GUARDED = """\
melody: v1
name: guarded
version: 1.0.0
nodes:
  ask: {uses: core/approve, with: {question: "Deploy?", who: [somebody_else]}}
  each: {for_each: {items: [], open: true}, nodes: {n: {uses: core/set, with: {n: "${ item }"}}}, outputs: {n: "${ n.n }"}}
outputs: {n: "${ each.n }"}
"""


class Waiting:
    """The command, with a home of its own, and runs that wait in processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.processes: list[subprocess.Popen[str]] = []

    def melody(self, text: str, name: str) -> str:
        path = self.folder / name / "melody.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    def json(self, *words: str, status: int = 0) -> Any:
        said = client_cli.polyphony(self.home, *words)
        assert said.status == status, (said.out, said.err)
        return json.loads(said.out)

    def begin(self, melody: str) -> tuple[subprocess.Popen[str], str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "polyphony_cli.main", "--json", "run", melody],
            env={**os.environ, "POLYPHONY_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        assert process.stderr is not None
        run = process.stderr.readline().split()[1]
        self.until(run, "node.waiting")
        return process, run

    def until(self, run: str, type_: str, count: int = 1) -> None:
        journal = self.home / "runs" / run / "journal.jsonl"
        end = time.monotonic() + 120
        while journal.read_text().count(f'"type":"{type_}"') < count:
            assert time.monotonic() < end
            time.sleep(0.01)

    def outcome(self, process: subprocess.Popen[str]) -> Any:
        out, err = process.communicate(timeout=120)
        assert out, err
        return json.loads(out)


@pytest.fixture
def waiting(tmp_path: Path) -> Any:
    world = Waiting(tmp_path)
    yield world
    for process in world.processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_run_in_another_process_is_reached(waiting: Waiting) -> None:
    process, run = waiting.begin(waiting.melody(MELODY, "waits"))
    listed = waiting.json("runs")["runs"][0]
    assert (listed["run"], listed["status"]) == (run, "waiting")
    assert waiting.json("show", run)["status"] == "waiting"
    assert waiting.json("signal", run, "nobody", "--transient") == {"run": run, "delivered": False}
    assert waiting.json("signal", run, "go", "--payload", '{"n": 3}') == {"run": run, "delivered": True}
    waiting.until(run, "node.waiting", 2)
    assert waiting.json("approve", run, "ask", "--comment", "as planned") == {"run": run, "delivered": True}
    outputs = waiting.outcome(process)["outputs"]
    assert outputs.pop("by")
    assert outputs == {"payload": {"n": 3}, "approved": True, "comment": "as planned"}
    assert waiting.json("approve", run, "ask", status=1)["error"]["code"] == "PLY2414"
    assert waiting.json("journal", run, "--verify")["ok"]


def test_what_comes_while_no_process_executes_the_run_is_kept(waiting: Waiting) -> None:
    process, run = waiting.begin(waiting.melody(MELODY, "waits"))
    process.send_signal(signal.SIGINT)
    assert waiting.outcome(process)["status"] == "halted"
    early = waiting.json("approve", run, "ask", status=1)["error"]
    assert (early["code"], early["message"]) == (
        "PLY2602",
        "'ask' does not wait for a decision: it has not asked yet",
    )
    mistyped = waiting.json("approve", run, "aks", status=1)["error"]
    assert mistyped["hint"] == "did you mean 'ask'?"
    assert waiting.json("signal", "--melody", "waits", "go")["delivered"]
    assert waiting.json("runs")["runs"][0]["status"] == "halted"
    process = subprocess.Popen(
        [sys.executable, "-m", "polyphony_cli.main", "--json", "resume", run],
        env={**os.environ, "POLYPHONY_HOME": str(waiting.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    waiting.processes.append(process)
    waiting.until(run, "node.waiting", 2)
    assert waiting.json("approve", run, "ask", "--reject")["delivered"]
    assert waiting.outcome(process)["outputs"]["approved"] is False


def test_a_signal_of_a_run_reaches_all_runs_of_its_melody_in_the_home(waiting: Waiting) -> None:
    first, one = waiting.begin(waiting.melody(MELODY, "waits"))
    second, two = waiting.begin(waiting.melody(MELODY, "waits"))
    second.send_signal(signal.SIGINT)
    assert waiting.outcome(second)["status"] == "halted"
    assert waiting.json("run", waiting.melody(SENDER, "sender"))["status"] == "succeeded"
    for run in (one, two):
        waiting.until(run, "signal.received")
    waiting.until(one, "node.waiting", 2)
    assert waiting.json("approve", one, "ask")["delivered"]
    assert waiting.outcome(first)["outputs"]["payload"] == "everybody"


def test_who_may_not_decide_and_what_a_map_cannot_take_is_refused(waiting: Waiting) -> None:
    _, run = waiting.begin(waiting.melody(GUARDED, "guarded"))
    assert waiting.json("approve", run, "ask", status=1)["error"]["code"] == "PLY2603"
    assert waiting.json("signal", run, "each", "--payload", "1", status=1)["error"]["code"] == "PLY2600"
    assert waiting.json("signal", run, "each", "--payload", '{"item": 1}')["delivered"]
    assert (
        waiting.json("signal", run, "each", "--payload", "nonsense", status=2)["error"]["code"] == "PLY7007"
    )
    assert waiting.json("signal", run, status=2)["error"]["code"] == "PLY7006"
