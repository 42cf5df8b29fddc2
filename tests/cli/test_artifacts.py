"""``polyphony artifacts`` and ``export-run`` as a person reads them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import pytest

from polyphony_cli.app import run

MELODY = """\
melody: v1
name: tested
version: 1.0.0
inputs: {words: {schema: {type: string}}}
nodes:
  a: {uses: core/set, with: {text: "${ inputs.words }", list: [1, 2]}}
  b: {uses: core/set, with: {value: "${ {'n': a.list, 'words': a.text} }"}}
outputs: {value: "${ b.value }"}
"""


class Person:
    """Someone at a terminal."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.home = folder / "home"
        self._capsys = capsys
        (folder / "melody").mkdir()
        (folder / "melody" / "melody.yaml").write_text(MELODY)
        self._melody = folder / "melody"

    def says(self, *words: str, status: int = 0) -> str:
        self._capsys.readouterr()
        code = run(["--home", str(self.home), *words])
        told = self._capsys.readouterr()
        assert code == status, told.err
        return told.out if status == 0 else told.out + told.err

    def run(self, words: str) -> str:
        self.says("run", str(self._melody), "--input", f"words={words}")
        return str(re.findall(r"r_\w{26}", self.says("runs"))[0])


@pytest.fixture
def person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Person:
    return Person(tmp_path, capsys)


def test_what_belongs_to_a_run_is_listed_fetched_and_compared(person: Person, tmp_path: Path) -> None:
    one, other = person.run("hello"), person.run("hello world")
    listed = person.says("artifacts", "list", one)
    assert [line.split()[0] for line in listed.splitlines()[:5]] == [
        "inputs",
        *["intermediates"] * 3,
        "outputs",
    ]
    assert "b.value  value.json" in listed
    assert len(person.says("artifacts", "list", one, "--category", "outputs").splitlines()) == 1
    person.says("artifacts", "get", f"{one}:b.value", "-o", str(tmp_path / "v.json"))
    assert json.loads((tmp_path / "v.json").read_text()) == {"n": [1, 2], "words": "hello"}
    told = person.says("artifacts", "diff", f"{one}:b.value", f"{other}:b.value")
    assert told == '~ /words  "hello" → "hello world"\n'
    assert "did you mean 'b.value'" in person.says("artifacts", "get", f"{one}:b.vale", status=1)


def test_cleaning_up_says_what_it_would_do(person: Person) -> None:
    person.run("x" * 20_000)
    orphan = person.home / "artifacts" / "ab" / ("c" * 62)
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(b"nobody's")
    for path in person.home.glob("artifacts/??/*"):
        os.utime(path, (time.time() - 3600,) * 2)
    told = "0 runs, 0 cached results, 1 artifacts (8 bytes)"
    assert f"would remove {told}" in person.says("artifacts", "gc", "--dry-run", "--keep", "30m")
    assert f"removed {told}" in person.says("artifacts", "gc", "--keep", "30m")
    assert not orphan.exists()
    assert "at least 600 s" in person.says("artifacts", "gc", "--keep", "1s", status=1)


def test_a_run_is_taken_away_in_one_file_and_verified(person: Person, tmp_path: Path) -> None:
    run_id = person.run("hello")
    bundle = tmp_path / "run.zip"
    person.says("export-run", run_id, "-o", str(bundle), "--with-artifacts")
    told = person.says("verify", str(bundle)).splitlines()
    assert [line.split()[:2] for line in told[:4]] == [
        ["ok", "contents:"],
        ["ok", "provenance:"],
        ["ok", "journal:"],
        ["ok", "head:"],
    ]
    assert told[-1] == "every step passed"
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b"hello", b"jello"))
    refused = person.says("verify", str(bundle), status=1)
    assert "FAIL PLY2821 contents: journal.jsonl is not the file that bundle.json names" in refused
