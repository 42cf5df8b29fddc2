"""polyphony export: a package in the other notation."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyphony_cli.app import run
from support.formats_documents import melody

TEXT = melody("nodes: {b: {uses: core/set, with: {n: 1, t: 'no'}}, a: {uses: core/set}}")


def test_goes_to_json_and_back_without_loss(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "melody.yaml").write_bytes(TEXT)
    assert run(["export", str(tmp_path), "--to", "json"]) == 0
    as_json = capsys.readouterr().out
    assert list(json.loads(as_json)["nodes"]) == ["b", "a"]
    (tmp_path / "melody.yaml").unlink()
    (tmp_path / "melody.json").write_text(as_json)
    assert run(["validate", str(tmp_path)]) == 0
    capsys.readouterr()
    assert run(["export", str(tmp_path), "--to", "yaml"]) == 0
    assert 't: "no"' in capsys.readouterr().out


def test_refuses_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "melody.yaml").write_text("a: [")
    assert run(["export", str(tmp_path), "--to", "json"]) == 1
