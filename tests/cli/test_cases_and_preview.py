"""``test``, ``preview`` and the cases that ``publish`` runs, as a person calls them, in the real sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def call(tmp_path: Path, *words: str, status: int = 0) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "polyphony_cli.main", "--json", "--home", str(tmp_path / "home"), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == status, done
    return json.loads(done.stdout)


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    call(tmp_path, "new", "melody", str(tmp_path / "hello"))
    return tmp_path / "hello"


def test_the_cases_of_a_new_melody_are_as_expected(tmp_path: Path, hello: Path) -> None:
    done = call(tmp_path, "test", str(hello))
    assert done["ok"] is True
    assert [one["file"] for one in done["cases"]] == ["tests/greets.yaml"]
    assert call(tmp_path, "runs") == {"runs": []}


def test_a_red_case_says_what_differs_and_keeps_the_package_unpublished(tmp_path: Path, hello: Path) -> None:
    file = hello / "tests" / "greets.yaml"
    file.write_text(file.read_text().replace("HELLO, ADA!!", "BYE"))
    done = call(tmp_path, "test", str(hello), status=1)
    (failure,) = done["cases"][0]["failures"]
    assert (failure["what"], failure["expected"], failure["got"]) == ("outputs.text", "BYE", "HELLO, ADA!!")
    identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"]
    for words in (["init", "-q"], ["add", "--all"], [*identity, "commit", "-q", "-m", "Begin"]):
        subprocess.run(["git", *words], cwd=hello, check=True)
    refused = call(tmp_path, "publish", str(hello), "--dry-run", status=1)
    assert [(one["code"], one["file"]) for one in refused["problems"] if one["severity"] == "error"] == [
        ("PLY2758", "tests/greets.yaml")
    ]


def test_a_preview_executes_nothing(tmp_path: Path, hello: Path) -> None:
    (hello / "nodes" / "shout" / "node.py").write_text("raise SystemExit('executed')\n")
    plan = call(tmp_path, "preview", str(hello), "--input", "name=Ada")
    assert plan["status"] == "succeeded"
    assert {row["node"] for row in plan["nodes"]} == {"greeting", "shout"}
    pins = tmp_path / "pins.yaml"
    pins.write_text("shout: {outputs: {text: HELLO}}\n")
    assert call(tmp_path, "preview", str(hello), "--pins", str(pins))["outputs"] == {"text": "HELLO"}
    pins.write_text("shout: 1\n")
    assert call(tmp_path, "preview", str(hello), "--pins", str(pins), status=2)["error"]["code"] == "PLY2757"
    assert call(tmp_path, "runs") == {"runs": []}
