"""``run resume cancel runs show logs journal artifacts`` as programs call them, in the real sandbox."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from support import client_cli

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {seconds: {schema: {type: number}, default: 0}, "*": {schema: {}}}
outputs: {value: {schema: {type: integer}}, file: {schema: {$ref: "urn:polyphony:file"}}}
run: {python: "node:main"}
"""
NODE = """\
import time


def main(inputs, parameters, task, context):
    context.log("hello from " + context.node)
    time.sleep(inputs["seconds"])
    with open("/out/file", "w") as stream:
        stream.write("made by " + context.node)
    return {"value": 7}
"""
MELODY = """\
melody: v1
name: tested
version: 1.0.0
inputs: {seconds: {schema: {type: number}, default: 0}, fail: {schema: {type: boolean}, default: false}}
nodes:
  a: {uses: ./nodes/step}
  b: {uses: ./nodes/step, with: {seconds: "${ inputs.seconds }", after: "${ a.value }"}}
  c: {uses: core/raise, when: inputs.fail, with: {kind: model, message: no good}}
outputs: {value: "${ b.value }"}
"""


class Polyphony:
    """The command, with a home of its own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.melody = folder / "melody"
        step = self.melody / "nodes" / "step"
        step.mkdir(parents=True)
        (self.melody / "melody.yaml").write_text(MELODY)
        (step / "extension.yaml").write_text(EXTENSION)
        (step / "node.py").write_text(NODE)

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "polyphony_cli.main", "--json", *words],
            env={**os.environ, "POLYPHONY_HOME": str(self.home)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def call(self, *words: str) -> tuple[int, str]:
        """What a process would say; it is this one, so that no interpreter is started for it."""
        said = client_cli.polyphony(self.home, *words)
        return said.status, said.out

    def json(self, *words: str, status: int = 0) -> Any:
        code, out = self.call(*words)
        assert code == status, out
        return json.loads(out)

    def begin_slow_run(self) -> tuple[subprocess.Popen[str], str]:
        """A run whose node ``b`` is inside its sleep."""
        process = self.start("run", str(self.melody), "--input", "seconds=90")
        assert process.stderr is not None
        run = process.stderr.readline().split()[1]
        journal = self.home / "runs" / run / "journal.jsonl"
        end = time.monotonic() + 120
        while '"node.started","node":"b"' not in journal.read_text():
            assert time.monotonic() < end
            time.sleep(0.01)
        return process, run


@pytest.fixture
def polyphony(tmp_path: Path) -> Polyphony:
    return Polyphony(tmp_path)


def test_a_run_is_told_by_every_verb(polyphony: Polyphony) -> None:
    done = polyphony.json("run", str(polyphony.melody))
    assert set(done) >= {"run", "status", "outputs", "nodes", "usage", "seconds"}
    assert (done["status"], done["outputs"]) == ("succeeded", {"value": 7})
    assert set(done["nodes"]["b"]) == {"status", "attempts", "cached", "seconds", "by", "error"}
    assert done["nodes"]["c"]["status"] == "skipped"
    run = done["run"]
    assert polyphony.json("runs")["runs"][0]["run"] == run
    assert polyphony.json("show", run)["nodes"] == done["nodes"]
    assert "<!doctype html>" in polyphony.call("show", run, "--html")[1]
    logs = [json.loads(line) for line in polyphony.call("logs", run, "b")[1].splitlines()]
    assert [line["message"] for line in logs] == ["hello from b"]
    events = [json.loads(line) for line in polyphony.call("journal", run)[1].splitlines()]
    assert [events[0]["type"], events[-1]["type"]] == ["run.created", "run.finished"]
    verified = polyphony.json("journal", run, "--verify")
    assert (verified["ok"], verified["signed"]) == (True, True)
    listed = polyphony.json("artifacts", "list", run)["artifacts"]
    assert {one["category"] for one in listed} == {"inputs", "intermediates", "outputs", "metadata"}
    files = [one for one in listed if one["name"] == "file"]
    assert {one["node"] for one in files} == {"a", "b"}
    assert polyphony.call("artifacts", "get", files[0]["digest"], "-o", str(polyphony.home / "f"))[0] == 0
    assert (polyphony.home / "f").read_text() == f"made by {files[0]['node']}"
    changed = polyphony.json("artifacts", "diff", f"{run}:a.file", f"{run}:b.file")
    assert (changed["kind"], changed["lines"][-2:]) == ("text", ["-made by a", "+made by b"])
    assert polyphony.json("artifacts", "gc", "--dry-run")["artifacts"] == 0


def test_a_failed_run_has_status_1_and_says_why(polyphony: Polyphony) -> None:
    done = polyphony.json("run", str(polyphony.melody), "--input", "fail=true", status=1)
    assert done["status"] == "failed"
    assert done["nodes"]["c"]["error"] == {"kind": "model", "message": "no good", "trace": None}


def test_a_changed_journal_is_noticed(polyphony: Polyphony) -> None:
    run = polyphony.json("run", str(polyphony.melody))["run"]
    journal = polyphony.home / "runs" / run / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-1]))
    cut = polyphony.json("journal", run, "--verify", status=1)
    assert "signs another journal" in cut["problems"][0]
    journal.write_bytes(b"".join(lines).replace(b'"value":7', b'"value":8', 1))
    changed = polyphony.json("journal", run, "--verify", status=1)
    assert changed["ok"] is False


def test_usage_errors_have_status_2(polyphony: Polyphony) -> None:
    error = polyphony.json("run", str(polyphony.melody), "--input", "nope=1", status=2)["error"]
    assert error["code"] == "PLY2403"
    assert set(error["details"]["inputs"]) == {"seconds", "fail"}


def test_an_interrupt_halts_the_run_and_resume_finishes_it(polyphony: Polyphony) -> None:
    process, run = polyphony.begin_slow_run()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert json.loads(out)["status"] == "halted"
    assert f"polyphony resume {run}" in err
    assert polyphony.json("journal", run, "--verify")["ok"]
    # The rest of its sleep would take more than a minute: the second attempt is cancelled from outside instead.
    again = polyphony.start("resume", run)
    journal = polyphony.home / "runs" / run / "journal.jsonl"
    while '"node.started","node":"b","attempt":2' not in journal.read_text():
        assert again.poll() is None
        time.sleep(0.01)
    cancelled = polyphony.json("cancel", run)
    assert cancelled["status"] == "cancelled"
    again.communicate(timeout=120)
    assert again.returncode == 1
    assert polyphony.json("resume", run, status=1)["error"]["code"] == "PLY2414"


def test_cancel_takes_a_run_over_whose_process_is_dead(polyphony: Polyphony) -> None:
    process, run = polyphony.begin_slow_run()
    process.kill()
    process.communicate()
    assert polyphony.json("runs")["runs"][0]["status"] == "halted"
    assert polyphony.json("cancel", run, "nope", status=1)["error"]["code"] == "PLY2415"
    over = polyphony.json("cancel", run, "a", status=1)["error"]
    assert over["message"] == "'a' cannot be cancelled: it is over: succeeded"
    done = polyphony.json("cancel", run)
    assert done["status"] == "cancelled"
    assert done["nodes"]["a"]["status"] == "succeeded"
    assert done["nodes"]["b"]["status"] == "cancelled"
    assert polyphony.json("journal", run, "--verify")["ok"]


def test_cancel_of_a_node_leaves_the_rest(polyphony: Polyphony) -> None:
    process, run = polyphony.begin_slow_run()
    assert polyphony.json("cancel", run, "b")["nodes"]["b"]["status"] == "cancelled"
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert json.loads(out)["status"] == "succeeded"


def test_logs_can_be_followed(polyphony: Polyphony) -> None:
    process, run = polyphony.begin_slow_run()
    follower = polyphony.start("logs", run, "-f")
    assert follower.stdout is not None
    lines = [json.loads(follower.stdout.readline())["message"] for _ in range(2)]
    assert sorted(lines) == ["hello from a", "hello from b"]
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    out, _ = follower.communicate(timeout=120)
    assert out == ""
    assert follower.returncode == 0


def test_a_terminal_shows_what_runs_and_settles_what_ended(polyphony: Polyphony) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "polyphony_cli.main", "run", str(polyphony.melody), "--input", "seconds=1.5"],
        env={**os.environ, "POLYPHONY_HOME": str(polyphony.home), "TERM": "xterm", "COLUMNS": "100"},
        stdin=follower,
        stdout=follower,
        stderr=follower,
    )
    os.close(follower)
    shown = b""
    try:
        while block := os.read(leader, 4096):
            shown += block
    except OSError:  # the terminal is gone: the process ended
        pass
    finally:
        os.close(leader)
    assert process.wait(timeout=120) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert "▸ b" in text
    assert "✓ b  succeeded" in text
    assert "succeeded in" in text.splitlines()[-2]
