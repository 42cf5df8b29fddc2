"""``worker``, ``run --executor cluster`` and the verbs about runs, with the real sandbox on real servers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import client_cli
from support.cluster_fixtures import (  # noqa: F401  # fixtures by their names
    database_url,
    postgres,
    redis_server,
)
from support.cluster_servers import Redis, wait_for

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {seconds: {schema: {type: number}, default: 0}, "*": {schema: {}}}
outputs: {value: {schema: {type: integer}}, big: {schema: {type: string}}, file: {schema: {$ref: "urn:polyphony:file"}}}
run: {python: "node:main"}
"""
NODE = """\
import time


def main(inputs, parameters, task, context):
    context.log("hello from " + context.node)
    time.sleep(inputs["seconds"])
    with open("/out/file", "w") as stream:
        stream.write("made by " + context.node)
    return {"value": 7, "big": "x" * 40000}
"""
MELODY = """\
melody: v1
name: tested
version: 1.0.0
nodes:
  a: {uses: ./nodes/step}
  b: {uses: ./nodes/step, with: {after: "${ a.big }"}}
  ask: {uses: core/approve, with: {question: Go on?}}
  c: {uses: ./nodes/step, with: {after: "${ b.value }"}}
connections: [b -> ask, ask -> c]
outputs: {value: "${ c.value }", big: "${ a.big }"}
"""
SLOW = """\
melody: v1
name: slow
version: 1.0.0
nodes:
  a: {uses: ./nodes/step, with: {seconds: 60}}
"""


class Machine:
    """A machine of the cluster: its own home, the same servers."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, database: str, redis: str) -> None:
        self.home = folder / "home"
        self.folder = folder
        for name, text in (("melody", MELODY), ("slow", SLOW)):
            step = folder / name / "nodes" / "step"
            step.mkdir(parents=True)
            (folder / name / "melody.yaml").write_text(text)
            (step / "extension.yaml").write_text(EXTENSION)
            (step / "node.py").write_text(NODE)
        for key, value in (
            ("DATABASE", database),
            ("REDIS", redis),
            ("ARTIFACTS", str(folder / "shared")),
            ("LEASE", "3s"),
        ):
            monkeypatch.setenv(f"POLYPHONY_CLUSTER_{key}", value)
        self.worker = subprocess.Popen(
            [sys.executable, "-m", "polyphony_cli.main", "worker", "--slots", "2", "--metrics-port", "0"],
            env={**os.environ, "POLYPHONY_HOME": str(folder / "other")},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.worker.stderr is not None
        assert "2 places" in self.worker.stderr.readline()
        self.metrics_at = self.worker.stderr.readline().split()[-1]

    def json(self, *words: str, status: int = 0) -> Any:
        said = client_cli.polyphony(self.home, *words)
        assert said.status == status, said
        return json.loads(said.out)

    def begin(self, name: str) -> str:
        return str(self.json("run", str(self.folder / name), "--executor", "cluster", "--detach")["run"])

    def metrics(self) -> list[str]:
        with urllib.request.urlopen(self.metrics_at, timeout=60) as answer:
            return str(answer.read().decode()).splitlines()

    def status(self, run: str) -> str:
        return str(self.json("show", run)["status"])

    def close(self) -> None:
        self.worker.send_signal(signal.SIGTERM)
        self.worker.communicate(timeout=60)
        assert self.worker.returncode == 0


@pytest.fixture
def machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Machine]:
    url: str = request.getfixturevalue("database_url")
    redis: Redis = request.getfixturevalue("redis_server")
    machine = Machine(tmp_path, monkeypatch, url, redis.url)
    yield machine
    machine.close()


def test_a_run_of_another_machine_is_watched_asked_and_read(machine: Machine) -> None:
    run = machine.begin("melody")
    wait_for(lambda: machine.status(run) == "waiting", "the question")
    assert [(one["run"], one["status"]) for one in machine.json("runs")["runs"]] == [(run, "waiting")]
    assert machine.json("approve", run, "ask") == {"run": run, "delivered": True}
    wait_for(lambda: machine.status(run) == "succeeded", "the end")
    counted = machine.metrics()
    assert 'polyphony_runs_total{melody="tested",status="succeeded"} 1' in counted
    assert 'polyphony_node_attempts_total{melody="tested",status="succeeded"} 3' in counted
    shown = machine.json("show", run)
    assert shown["outputs"] == {"value": 7, "big": "x" * 40000}
    logs = client_cli.polyphony(machine.home, "logs", run).out.splitlines()
    assert [json.loads(line)["message"] for line in logs] == [f"hello from {node}" for node in "abc"]
    assert machine.json("journal", run, "--verify")["ok"]
    assert not (machine.folder / "other" / "store").exists(), "packages came through the artifacts"


def test_cancel_ends_a_node_on_another_machine_and_a_finished_run_stays(machine: Machine) -> None:
    run = machine.begin("slow")
    wait_for(lambda: machine.json("show", run)["nodes"].get("a", {}).get("status") == "running", "the node")
    assert machine.json("cancel", run)["status"] == "cancelled"
    refused = machine.json("resume", run, status=1)
    assert refused["error"]["code"] == "PLY2414"


def test_ctrl_c_halts_the_run_and_resume_watches_it_to_its_end(machine: Machine) -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "polyphony_cli.main",
            "--json",
            "run",
            str(machine.folder / "slow"),
            "--executor",
            "cluster",
        ],
        env={**os.environ, "POLYPHONY_HOME": str(machine.home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    run = process.stderr.readline().split()[1]
    wait_for(lambda: machine.json("show", run)["nodes"].get("a", {}).get("status") == "running", "the node")
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["status"]) == (130, "halted"), said
    assert f"polyphony resume {run}" in said


def test_a_port_for_metrics_that_is_none_or_is_taken_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    assert client_cli.polyphony(machine.home, "worker", "--metrics-port", "x:y").status == 2
    taken = machine.metrics_at.removeprefix("http://").removesuffix("/metrics")
    said = client_cli.polyphony(machine.home, "worker", "--metrics-port", taken)
    assert (said.status, json.loads(said.out)["error"]["code"]) == (1, "PLY2852")


def test_without_a_cluster_the_verbs_say_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POLYPHONY_CLUSTER_DATABASE", raising=False)
    said = client_cli.polyphony(tmp_path / "home", "worker")
    assert (said.status, json.loads(said.out)["error"]["code"]) == (1, "PLY2700")
    monkeypatch.setenv("POLYPHONY_CLUSTER_REDIS", "redis://127.0.0.1:1/0")
    said = client_cli.polyphony(tmp_path / "home", "worker")
    assert json.loads(said.out)["error"]["code"] == "PLY2701"


def test_a_database_that_is_not_there_is_said_without_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyphony_runner.cluster.database._FIRST_PATIENCE", 0.1)
    monkeypatch.setenv("POLYPHONY_CLUSTER_DATABASE", "postgresql://me:hidden@127.0.0.1:1/x")
    monkeypatch.setenv("POLYPHONY_CLUSTER_REDIS", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("POLYPHONY_CLUSTER_ARTIFACTS", str(tmp_path / "shared"))
    said = client_cli.polyphony(tmp_path / "home", "runs")
    assert json.loads(said.out)["error"]["code"] == "PLY2702"
    assert "hidden" not in said.out
