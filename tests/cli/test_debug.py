"""``debug``, ``rerun`` and ``explain`` as a person at a terminal and a script use them, in the real sandbox."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
pure: true
inputs: {n: {schema: {type: integer}}}
outputs: {value: {schema: {type: integer}}}
run: {python: "node:main"}
"""
NODE = 'def main(inputs, parameters, task, context):\n    return {"value": inputs["n"] + 1}\n'
MELODY = """\
melody: v1
name: tested
version: 1.0.0
inputs: {n: {schema: {type: integer}, default: 1}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ a.value }"}}
outputs: {value: "${ b.value }"}
"""


@pytest.fixture
def melody(tmp_path: Path) -> Path:
    (tmp_path / "melody" / "step").mkdir(parents=True)
    (tmp_path / "melody" / "melody.yaml").write_text(MELODY)
    (tmp_path / "melody" / "step" / "extension.yaml").write_text(EXTENSION)
    (tmp_path / "melody" / "step" / "node.py").write_text(NODE)
    return tmp_path / "melody"


def words(tmp_path: Path, *rest: str) -> list[str]:
    return [sys.executable, "-m", "polyphony_cli.main", "--home", str(tmp_path / "home"), *rest]


def call(tmp_path: Path, *rest: str, stdin: str = "", status: int = 0) -> Any:
    done = subprocess.run(
        words(tmp_path, "--json", *rest), input=stdin, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == status, done
    return json.loads(done.stdout)


def test_a_scripted_session_stops_shows_sets_and_goes_on(tmp_path: Path, melody: Path) -> None:
    script = tmp_path / "script"
    script.write_text("# look first\nshow a\ninputs\nset b.value=40\ncontinue\n")
    done = call(tmp_path, "debug", str(melody), "--break", "b", "--script", str(script))
    assert (done["status"], done["outputs"]) == ("succeeded", {"value": 40})
    assert [stop["node"] for stop in done["stops"]] == ["b", None]
    assert done["shown"][0]["a"]["outputs"] == {"value": 2}
    assert done["shown"][1] == {"inputs": {"n": 1}}


def test_a_pipe_leads_a_run_that_is_taken_up_later(tmp_path: Path, melody: Path) -> None:
    halted = call(tmp_path, "debug", str(melody), stdin="step\nstep\nquit\n")
    assert [stop["node"] for stop in halted["stops"]] == ["a", "b"]
    done = call(tmp_path, "debug", halted["run"], stdin="continue\n")
    assert (done["run"], done["status"]) == (halted["run"], "succeeded")
    wrong = call(tmp_path, "debug", str(melody), stdin="jump\n", status=2)
    assert wrong["error"]["code"] == "PLY2755"


def test_rerun_and_explain_from_the_command_line(tmp_path: Path, melody: Path) -> None:
    first = call(tmp_path, "run", str(melody))
    again = call(tmp_path, "rerun", first["run"], "--set", "inputs.n=5")
    assert (again["outputs"], again["nodes"]["a"]["cached"]) == ({"value": 7}, False)
    told = call(tmp_path, "explain", again["run"], "a")
    assert (told["outcome"], told["differences"]) == ("miss", [{"part": "inputs.n", "now": 5, "then": 1}])
    cached = call(tmp_path, "rerun", first["run"])
    assert (cached["nodes"]["b"]["cached"], cached["nodes"]["b"]["attempts"]) == (True, 0)
    assert call(tmp_path, "explain", cached["run"], "b")["outcome"] == "hit"
    assert call(tmp_path, "rerun", first["run"], "--from", "zz", status=1)["error"]["code"] == "PLY2751"


def test_a_person_at_a_terminal_is_told_of_mistakes_and_asked_again(tmp_path: Path, melody: Path) -> None:
    master, slave = pty.openpty()
    environment = {**os.environ, "TERM": "dumb"}
    process = subprocess.Popen(
        words(tmp_path, "debug", str(melody)), stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    text = b""
    for line in (b"jump\n", b"break b\n", b"continue\n", b"show a\n", b"continue\n", b"quit\n"):
        while not text.endswith(b"(debug) "):
            text += os.read(master, 65536)
        os.write(master, line)
        text += b"|"
    try:
        while data := os.read(master, 65536):
            text += data
    except OSError:  # the other end is closed
        pass
    os.close(master)
    assert process.wait(timeout=30) == 0
    told = text.decode()
    assert "there is no command 'jump'" in told
    assert "before b" in told
    assert '"value": 2' in told
    assert "succeeded" in told


def test_two_processes_compute_the_same_once(tmp_path: Path, melody: Path) -> None:
    slow = NODE.replace("    return", "    import time; time.sleep(0.3)\n    return")
    (melody / "step" / "node.py").write_text(slow)
    call(tmp_path, "runs")  # the home is there
    both = [
        subprocess.Popen(
            words(tmp_path, "--json", "run", str(melody)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in both]
    assert [one["outputs"] for one in told] == [{"value": 3}, {"value": 3}]
    for node in ("a", "b"):
        assert sorted(one["nodes"][node]["attempts"] for one in told) == [0, 1]
