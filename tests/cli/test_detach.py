"""``run --detach``: the run goes on in a process of its own, which every verb reaches and no terminal ends."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.journal.file import is_held
from support import client_cli

MELODY = """\
melody: v1
name: detached
version: 1.0.0
nodes:
  before: {uses: core/set, with: {v: 1}}
  go: {uses: core/wait, with: {signal: go, timeout: 10m}}
  ask: {uses: core/approve, with: {question: "Really?"}}
connections: [before -> go, go -> ask]
outputs: {payload: "${ go.payload }", by: "${ ask.by }"}
"""
PATIENCE = 120


class Place:
    """A home and a melody that waits for a signal, then for a decision."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.melody = folder / "melody.yaml"
        self.melody.write_text(MELODY)

    def call(self, *words: str, status: int = 0) -> Any:
        said = client_cli.polyphony(self.home, *words)
        assert said.status == status, said.out + said.err
        return said.json

    def journal(self, run: str) -> Path:
        return self.home / "runs" / run / "journal.jsonl"

    def wait(self, run: str, status: str) -> Any:
        end = time.monotonic() + PATIENCE
        while (shown := self.call("show", run))["status"] != status:
            assert time.monotonic() < end, shown
            time.sleep(0.05)
        return shown

    def executors(self) -> Iterator[Path]:
        """The processes that execute runs of this home."""
        for process in Path("/proc").glob("[0-9]*"):
            try:
                words = (process / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if {str(self.home).encode(), b"resume"} <= set(words):
                yield process


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    for process in made.executors():
        os.kill(int(process.name), signal.SIGKILL)


def test_every_verb_reaches_a_detached_run(place: Place) -> None:
    begun = place.call("run", str(place.melody), "--detach")
    run = begun["run"]
    assert begun == {"run": run, "status": "running"}
    place.wait(run, "waiting")
    follower = subprocess.Popen(
        [sys.executable, "-m", "polyphony_cli.main", "--home", str(place.home), "logs", run, "-f"],
        stdout=subprocess.PIPE,
    )
    assert place.call("signal", run, "go", "--payload", "3")["delivered"]
    assert place.call("approve", run, "ask")["delivered"]
    done = place.wait(run, "succeeded")
    assert done["outputs"]["payload"] == 3
    assert follower.communicate(timeout=PATIENCE)[0] == b""
    assert place.call("journal", run, "--verify")["ok"]
    assert "succeeded" in (place.home / "runs" / run / "detached.log").read_text()


def test_a_detached_run_is_cancelled_like_any_other(place: Place) -> None:
    run = place.call("run", str(place.melody), "--detach")["run"]
    place.wait(run, "waiting")
    assert place.call("cancel", run)["status"] == "cancelled"


def test_it_outlives_its_terminal_and_holds_nothing_of_it(place: Place) -> None:
    leader, follower = pty.openpty()
    inherited = os.open(place.melody, os.O_RDONLY)
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "polyphony_cli.main",
            "--home",
            str(place.home),
            "run",
            str(place.melody),
            "--detach",
        ],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        pass_fds=[inherited],
        start_new_session=True,
    )
    os.close(follower)
    os.close(inherited)
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    run = out.decode().strip()
    os.close(leader)  # the terminal is gone: whoever belongs to it gets SIGHUP
    place.wait(run, "waiting")
    (executor,) = place.executors()
    opened = {link.readlink() for link in (executor / "fd").iterdir()}
    assert not {path for path in opened if str(path).startswith(("/dev/pts", "/dev/ptmx"))}
    assert place.melody not in opened
    assert os.getsid(int(executor.name)) == int(executor.name)
    assert (executor / "cwd").exists()
    assert is_held(place.journal(run))
    place.call("cancel", run)


def test_a_background_process_that_cannot_begin_is_told(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    error = place.call("run", str(place.melody), "--detach", status=1)["error"]
    assert error["code"] == "PLY2850"
    (run,) = (place.home / "runs").glob("r_*")
    assert run.name in error["hint"]
    events = [json.loads(line)["type"] for line in place.journal(run.name).read_text().splitlines()]
    assert events == ["run.created"]
