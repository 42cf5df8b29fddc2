"""A halted run at the command line: shown, resumed, or cancelled, which undoes what it completed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support import client_cli

EXTENSION = """\
extension: v1
name: {name}
version: 1.0.0
kind: operator
inputs: {{"*": {{schema: {{}}}}}}
outputs: {{value: {{schema: {{}}}}}}
run: {{python: "node:main"}}
"""
DEPLOY = """\
def main(inputs, parameters, task, context):
    return {"value": "deployment 7"}
"""
TAKE_BACK = """\
def main(inputs, parameters, task, context):
    context.log("taking back " + inputs["what"])
    return {}
"""
CHECK = """\
def main(inputs, parameters, task, context):
    raise ValueError("the deployment does not answer")
"""
MELODY = """\
melody: v1
name: halting
version: 1.0.0
nodes:
  deploy: {uses: ./nodes/deploy, undo: back}
  back: {uses: ./nodes/back, with: {what: "${ undone.outputs.value }"}}
  check: {uses: ./nodes/check, with: {after: "${ deploy.value }"}, on_error: {halt: {notify: [oncall]}}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, code in (("deploy", DEPLOY), ("back", TAKE_BACK), ("check", CHECK)):
        node = tmp_path / "melody" / "nodes" / name
        node.mkdir(parents=True)
        (node / "extension.yaml").write_text(EXTENSION.format(name=name))
        (node / "node.py").write_text(code)
    (tmp_path / "melody" / "melody.yaml").write_text(MELODY)
    return tmp_path / "melody"


def call(folder: Path, *words: str) -> client_cli.Said:
    return client_cli.polyphony(folder.parent / "home", *words)


def document(folder: Path, *words: str, status: int) -> Any:
    said = call(folder, *words)
    assert said.status == status, said.out + said.err
    return json.loads(said.out)


def test_a_halted_run_says_why_and_cancelling_it_takes_back_what_was_done(folder: Path) -> None:
    halted = document(folder, "run", str(folder), status=1)
    assert halted["status"] == "halted"
    assert halted["nodes"]["check"]["status"] == "waiting"
    assert halted["error"]["message"].endswith("the deployment does not answer")
    run = halted["run"]
    shown = document(folder, "show", run, status=0)
    assert 'raise ValueError("the deployment does not answer")' in shown["nodes"]["check"]["error"]["trace"]
    cancelled = document(folder, "cancel", run, status=0)
    assert cancelled["status"] == "cancelled"
    assert cancelled["undone"] == {"done": 1, "failed": []}
    assert cancelled["nodes"]["back"]["status"] == "succeeded"
    assert "taking back deployment 7" in call(folder, "logs", run, "back").out
    assert document(folder, "journal", run, "--verify", status=0)["ok"]


def test_cancelling_without_undo_leaves_things_as_they_are(folder: Path) -> None:
    run = document(folder, "run", str(folder), status=1)["run"]
    cancelled = document(folder, "cancel", run, "--no-undo", status=0)
    assert (cancelled["status"], "back" in cancelled["nodes"]) == ("cancelled", False)


def test_a_resumed_run_tries_the_node_again(folder: Path) -> None:
    run = document(folder, "run", str(folder), status=1)["run"]
    (folder / "nodes/check/node.py").write_text(DEPLOY)
    resumed = document(folder, "resume", run, status=0)
    assert resumed["nodes"]["check"] == resumed["nodes"]["check"] | {"status": "succeeded", "attempts": 2}
