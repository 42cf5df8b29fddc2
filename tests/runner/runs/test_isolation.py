"""What this machine cannot isolate is refused before the run exists, naming node and reason."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.home import Home
from polyphony_runner.runs import isolation
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.errors import RunError
from polyphony_runner.sandbox.preflight import LevelReport
from polyphony_runner.sandbox.spec import Level

MELODY = """\
melody: v1
name: asks
version: 1.0.0
config: {permissions: {network: ["api.example.com:443"], secrets: [TOKEN]}}
nodes:
  plain: {uses: ./node}
  call: {uses: ./node, permissions: {GRANT}}
"""
EXTENSION = """\
extension: v1
name: node
version: 1.0.0
kind: instrument
permissions: {network: granted, secrets: granted}
run: {python: "node:main"}
"""


def request(folder: Path, grant: str, **fields: bool) -> RunRequest:
    melody = folder / "melody"
    (melody / "node").mkdir(parents=True)
    (melody / "melody.yaml").write_text(MELODY.replace("GRANT", grant))
    (melody / "node" / "extension.yaml").write_text(EXTENSION)
    (melody / "node" / "node.py").write_text("def main(i, p, t, c):\n    return {}\n")
    return RunRequest(melody, ask=lambda *_: True, **fields)  # type: ignore[arg-type]  # by name


def here(monkeypatch: pytest.MonkeyPatch, level: Level | None) -> None:
    monkeypatch.setattr(isolation, "kept_level", lambda: None)
    monkeypatch.setattr(isolation, "decide_level", lambda _: LevelReport(level, (), (), ()))


@pytest.mark.parametrize(
    ("grant", "word"), [('network: ["api.example.com:443"]', "network"), ("secrets: [TOKEN]", "secrets")]
)
def test_the_node_and_the_reason_are_named(
    grant: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, "landlock")
    home = Home.at(tmp_path / "home")
    with pytest.raises(RunError) as refused:
        assemble(request(tmp_path, grant), home)
    assert refused.value.code == "PLY3800"
    assert "the node call" in refused.value.message
    assert word in refused.value.message
    assert "doctor" in refused.value.hint
    assert not home.runs.exists() or not any(home.runs.glob("r_*"))


def test_at_level_wasm_another_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here(monkeypatch, "wasm")
    with pytest.raises(RunError, match=r"what uses \./node"):
        assemble(request(tmp_path, "read: []"), Home.at(tmp_path / "home"))


@pytest.mark.parametrize(
    ("level", "fields"),
    [
        ("full", {}),
        ("full-privileged", {}),
        (None, {}),
        ("landlock", {"elsewhere": True}),
        ("landlock", {"unsafe_no_sandbox": True}),
    ],
)
def test_nothing_is_refused_where_it_can_run_or_runs_elsewhere(
    level: Level | None, fields: dict[str, bool], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here(monkeypatch, level)
    asked = request(tmp_path, 'network: ["api.example.com:443"]', **fields)
    assert assemble(asked, Home.at(tmp_path / "home")).melody.name == "asks"
