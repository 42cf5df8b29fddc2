"""What a folder asks for is agreed to once; how it writes is part of it, and answers of several processes are all kept."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from pathlib import Path

import pytest

from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.consent import require_consent
from polyphony_runner.runs.errors import RunConsentError

MELODY = """\
melody: v1
name: writes
version: 1.0.0
nodes: {{w: {{uses: ./w, permissions: {{write: [{grant}]}}}}}}
config: {{permissions: {{write: [out]}}}}
"""
EXTENSION = """\
extension: v1
name: w
version: 1.0.0
kind: operator
permissions: {write: granted}
run: {process: [cat]}
"""


def test_writing_directly_in_place_of_a_reviewed_copy_is_asked_again(tmp_path: Path) -> None:
    home, folder = Home.at(tmp_path / "home"), tmp_path / "writes"
    (folder / "w").mkdir(parents=True)
    (folder / "w" / "extension.yaml").write_text(EXTENSION)
    asked: list[list[str]] = []

    def ask(lines: Sequence[str], _digest: str) -> bool:
        asked.append(list(lines))
        return True

    def agree(grant: str) -> str:
        (folder / "melody.yaml").write_text(MELODY.format(grant=grant))
        try:
            assemble(RunRequest(folder, ask=ask), home)
        except RunConsentError as error:
            return error.code
        return ""

    assert agree("out") == ""
    assert agree("{path: out, mode: copy}") == ""
    assert asked == [["writes out after you have seen the changes"]]
    assert agree("{path: out, mode: direct}") == ""
    assert asked[1:] == [["writes out after you have seen the changes", "writes out directly"]]
    assert agree("{path: out, mode: direct}") == ""
    assert len(asked) == 2


def test_the_flag_names_what_is_shown(tmp_path: Path) -> None:
    home, folder = Home.at(tmp_path / "home"), tmp_path / "writes"
    (folder / "w").mkdir(parents=True)
    (folder / "w" / "extension.yaml").write_text(EXTENSION)
    (folder / "melody.yaml").write_text(MELODY.format(grant="{path: out, mode: direct}"))
    with pytest.raises(RunConsentError) as caught:
        assemble(RunRequest(folder), home)
    digest = str(caught.value.details["digest"])
    assert caught.value.details["permissions"] == {"write": ["out", {"mode": "direct", "path": "out"}]}
    assemble(RunRequest(folder, accept_permissions=digest), home)


def _agree(kept: Path, number: int) -> None:
    for one in range(10):
        require_consent(
            {"run": ("make",)},
            {"run": ["make"]},
            folder=Path(f"/{number}-{one}"),
            work=kept.parent,
            kept=kept,
            accepted=None,
            ask=lambda _lines, _digest: True,
        )


def test_answers_of_several_processes_are_all_kept(tmp_path: Path) -> None:
    kept = tmp_path / "runs" / "consents.json"
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_agree, args=(kept, number)) for number in range(4)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0] * 4
    assert len(json.loads(kept.read_bytes())) == 40


@pytest.mark.parametrize("text", ["", "[]", '{"/folder": 1}', "\0"])
def test_a_damaged_file_of_answers_means_that_nobody_agreed(tmp_path: Path, text: str) -> None:
    kept = tmp_path / "consents.json"
    kept.write_text(text)
    with pytest.raises(RunConsentError):
        require_consent(
            {"run": ("make",)},
            {"run": ["make"]},
            folder=Path("/folder"),
            work=tmp_path,
            kept=kept,
            accepted=None,
            ask=None,
        )
    _agree(kept, 1)
    assert len(json.loads(kept.read_bytes())) == 10
