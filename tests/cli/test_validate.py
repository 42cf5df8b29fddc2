"""polyphony validate: the JSON document, the lines for people, the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyphony_cli.app import run
from support.formats_documents import WORK, melody

VALID = melody("nodes: {a: {uses: core/set, with: {n: 1}}}")


def document(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def test_a_valid_melody_is_ok(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "melody.yaml").write_bytes(VALID)
    assert run(["--json", "validate", str(tmp_path)]) == 0
    assert document(capsys) == {"ok": True, "problems": []}
    assert run(["validate", str(tmp_path / "melody.yaml")]) == 0
    assert capsys.readouterr().out == "1 package checked: all good\n"


def test_prints_every_problem_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "melody.yaml").write_bytes(VALID + b"nods: 1\n")
    assert run(["--json", "validate", "."]) == 1
    found = document(capsys)
    assert found["ok"] is False
    assert isinstance(found["problems"], list)
    (problem,) = found["problems"]
    assert {
        key: problem[key] for key in ("code", "severity", "file", "line", "column", "pointer", "hint")
    } == {
        "code": "PLY1402",
        "severity": "error",
        "file": "melody.yaml",
        "line": 5,
        "column": 1,
        "pointer": "/nods",
        "hint": "did you mean 'nodes'?",
    }
    assert run(["validate", "."]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("melody.yaml:5:1: error[PLY1402] unknown key 'nods'")
    assert lines[1:] == ["    hint: did you mean 'nodes'?", "1 package checked: 1 error"]


def test_packages_come_from_the_local_overrides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "flow").mkdir()
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "extension.yaml").write_text(WORK)
    (tmp_path / "flow" / "melody.yaml").write_bytes(melody("nodes: {a: {uses: acme/work@^1}}"))
    assert run(["--json", "validate", str(tmp_path / "flow")]) == 0
    assert "PLY1601" in json.dumps(document(capsys))
    (tmp_path / "flow" / "melody.local.yaml").write_text("overrides: {acme/work: ../work}")
    assert run(["--json", "validate", str(tmp_path / "flow")]) == 1
    assert "required input 'n'" in json.dumps(document(capsys))


def test_several_paths_make_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "melody.yaml").write_bytes(VALID + b"nods: 1\n")
    assert run(["--json", "validate", str(tmp_path / "one"), str(tmp_path / "two")]) == 1
    assert len(document(capsys)["problems"]) == 2  # type: ignore[arg-type]  # a list, as the test above shows


def test_a_path_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["--json", "validate", str(tmp_path)]) == 2
    assert run(["--json", "validate", str(tmp_path / "gone.yaml")]) == 2
    assert "PLY7301" in capsys.readouterr().out


def test_links_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "melody.yaml").write_bytes(VALID)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "case.yaml").symlink_to("/dev/zero")
    assert run(["validate", str(tmp_path)]) == 0
    assert "all good" in capsys.readouterr().out
