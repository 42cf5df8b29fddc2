"""A journal that was edited by hand or torn by a crash: what ``journal --verify`` names, and that nothing executes it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.file import FileJournal
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.session import begin
from polyphony_runner.runs.verify import verify_run
from polyphony_runner.runtimes.protocol import Runtime

MELODY = """\
melody: v1
name: m
version: 1.0.0
nodes: {a: {uses: core/set, with: {v: 1}}, b: {uses: core/set, with: {v: "${ a.v + 1 }"}}}
outputs: {v: "${ b.v }"}
"""


def no_runtime(*_: object) -> Runtime:
    class Nothing:
        async def close(self) -> None:
            """Nothing was begun."""

    return Nothing()  # type: ignore[return-value]  # core nodes never ask it for anything


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def finished(tmp_path: Path, home: Home) -> RunFolder:
    """A run of two core nodes, over and signed."""
    (tmp_path / "melody.yaml").write_text(MELODY)
    with begin(assemble(RunRequest(tmp_path / "melody.yaml"), home), home) as session:
        session.execute(no_runtime, lambda event, state: None)
    return session.folder


def lines(folder: RunFolder) -> list[bytes]:
    return folder.journal.read_bytes().splitlines(keepends=True)


def test_every_event_that_is_changed_is_named_by_the_one_after_it(finished: RunFolder, home: Home) -> None:
    original = lines(finished)
    for seq in range(len(original) - 1):
        edited = json.loads(original[seq])
        edited["at"] = "2001-01-01T00:00:00.000Z"
        text = json.dumps(edited, separators=(",", ":")).encode() + b"\n"
        finished.journal.write_bytes(b"".join([*original[:seq], text, *original[seq + 1 :]]))
        found = verify_run(finished, home)
        assert (found.ok, found.broken_at, found.events) == (False, seq + 1, seq + 1)
        assert f"event {seq + 1} " in found.problems[0]
        assert f"event {seq} was changed" in found.problems[0]
        with pytest.raises(JournalError) as refused:
            FileJournal(finished.journal)
        assert refused.value.details == {"seq": seq + 1}


def test_a_changed_last_event_is_seen_by_the_signed_head(finished: RunFolder, home: Home) -> None:
    *first, last = lines(finished)
    assert b'"outputs":{"v":2}' in last
    finished.journal.write_bytes(b"".join([*first, last.replace(b'"v":2', b'"v":3')]))
    found = verify_run(finished, home)
    assert (found.ok, found.broken_at, found.signed) == (False, None, False)
    assert f"event {len(first)} has not the digest" in found.problems[0]


def test_lines_that_are_gone_or_moved_are_named(finished: RunFolder, home: Home) -> None:
    original = lines(finished)
    finished.journal.write_bytes(b"".join([*original[:2], *original[3:]]))
    found = verify_run(finished, home)
    assert (found.broken_at, found.events) == (2, 2)
    assert "event 2 (line 3 of journal.jsonl) has number 3: lines were removed" in found.problems[0]
    finished.journal.write_bytes(b"".join([*original[:2], b'{"hello": 1}\n', *original[2:]]))
    assert "event 2 (line 3 of journal.jsonl) is no event" in verify_run(finished, home).problems[0]


def test_a_half_written_last_line_is_said_and_cut_off_when_the_run_goes_on(
    tmp_path: Path, home: Home
) -> None:
    (tmp_path / "melody.yaml").write_text(MELODY)
    with begin(assemble(RunRequest(tmp_path / "melody.yaml"), home), home) as session:
        folder = session.folder
    whole = folder.journal.read_bytes()
    folder.journal.write_bytes(whole + b'{"v":1,"seq":1,"at":"20')
    found = verify_run(folder, home)
    assert (found.ok, found.broken_at) == (False, None)
    assert found.problems == (
        "the last line, event 1, is incomplete (23 bytes): polyphony resume cuts it off",
    )
    with resume(folder, home) as session:
        assert session.journal.cut == 23
        session.execute(no_runtime, lambda event, state: None)
    assert verify_run(folder, home).ok
    assert folder.journal.read_bytes().startswith(whole)
