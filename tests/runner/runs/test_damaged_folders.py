"""A run folder that was damaged or tampered with is told as such, and never executed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.cancel import cancel_run
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder, new_run_id
from polyphony_runner.runs.head import sign_head
from polyphony_runner.runs.listing import list_runs
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.session import begin, load_state
from polyphony_runner.runs.verify import verify_run
from polyphony_runner.runtimes.protocol import Runtime
from polyphony_schemas.journal import decode_line, encode_line


def no_runtime(*_: object) -> Runtime:
    raise AssertionError("nothing is executed")


MELODY = "melody: v1\nname: m\nversion: 1.0.0\nnodes: {a: {uses: core/set, with: {v: 1}}}\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


@pytest.fixture
def halted(tmp_path: Path, home: Home) -> RunFolder:
    """A run that was begun, signed and left."""
    (tmp_path / "melody.yaml").write_text(MELODY)
    with begin(assemble(RunRequest(tmp_path / "melody.yaml"), home), home) as session:
        sign_head(session.folder, session.journal, home.keys)
    return session.folder


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(RunError) as caught:
        call()
    assert caught.value.hint
    return caught.value.code


def test_a_run_that_nobody_touched_can_be_taken_up(halted: RunFolder, home: Home) -> None:
    resume(halted, home).journal.close()
    assert [one.status for one in list_runs(home)] == ["halted"]
    assert verify_run(halted, home).ok


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"run": "r_1"}', "\ud800", '{"packages": 1}'])
def test_one_unreadable_record_hides_no_other_run(
    text: str, halted: RunFolder, home: Home, tmp_path: Path
) -> None:
    damaged = assemble(RunRequest(tmp_path / "melody.yaml"), home).folder
    (damaged.path / "run.json").write_bytes(text.encode("utf-8", "surrogatepass"))
    found = {one.run: one for one in list_runs(home)}
    assert found[damaged.run].status == "unreadable"
    assert "run.json" in str(found[damaged.run].problem)
    assert found[halted.run].status == "halted"
    assert refused(lambda: resume(damaged, home)) == "PLY2417"


@pytest.mark.parametrize("left", [(), ("run.json",), ("run.json", "graph.json"), ("journal.jsonl",)])
def test_what_a_run_left_that_was_killed_at_its_creation_is_told(
    left: tuple[str, ...], halted: RunFolder, home: Home
) -> None:
    folder = RunFolder(home.runs / new_run_id(1))
    folder.path.mkdir()
    for name in left:
        (folder.path / name).write_bytes((halted.path / name).read_bytes())
    assert [one.status for one in list_runs(home)] == ["halted", "unreadable"]
    assert refused(lambda: resume(folder, home)) == "PLY2417"
    assert not (folder.path / "journal.jsonl").exists() or "journal.jsonl" in left


@pytest.mark.parametrize("content", [b"", b'{"v":1,"seq":0'])
def test_a_journal_without_an_event_is_told(content: bytes, halted: RunFolder, home: Home) -> None:
    halted.journal.write_bytes(content)
    assert [one.status for one in list_runs(home)] == ["unreadable"]
    assert refused(lambda: resume(halted, home)) == "PLY2417"
    assert refused(lambda: load_state(halted, home)) == "PLY2417"
    assert (
        refused(lambda: cancel_run(halted, home, CancelRequest(), patience=0, runtime=no_runtime))
        == "PLY2417"
    )
    assert not verify_run(halted, home).ok


def test_a_journal_of_other_lines_is_told(halted: RunFolder, home: Home) -> None:
    halted.journal.write_bytes(b"{}\n")
    assert [one.status for one in list_runs(home)] == ["unreadable"]


@pytest.mark.parametrize("name", ["graph.json", "run.json"])
def test_a_changed_file_beside_the_journal_is_refused(name: str, halted: RunFolder, home: Home) -> None:
    path = halted.path / name
    path.write_bytes(path.read_bytes().replace(b"1.0.0", b"1.0.1"))
    assert refused(lambda: resume(halted, home)) == "PLY2418"
    assert any(name in problem for problem in verify_run(halted, home).problems)


def test_a_rewritten_chain_is_refused(halted: RunFolder, home: Home) -> None:
    event, prev = decode_line(halted.journal.read_bytes().strip())
    wider = type(event)(
        event.seq, event.at_ms, event.type, None, None, {**event.data, "ceiling": {"read": ["/"]}}
    )
    halted.journal.write_bytes(encode_line(wider, prev) + b"\n")
    assert refused(lambda: resume(halted, home)) == "PLY2418"


def test_a_head_that_was_forged_or_comes_from_elsewhere_is_refused(
    halted: RunFolder, home: Home, tmp_path: Path
) -> None:
    with resume(halted, home) as session:
        sign_head(halted, session.journal, tmp_path / "other-keys")
    assert refused(lambda: resume(halted, home)) == "PLY2418"
    head = json.loads(halted.head.read_bytes())
    for broken in ({}, {**head, "seq": 5}, {**head, "signature": "AAAA"}, {**head, "key": "?"}):
        halted.head.write_text(json.dumps(broken))
        assert refused(lambda: resume(halted, home)) == "PLY2418"
    halted.head.write_text("not json")
    assert refused(lambda: resume(halted, home)) == "PLY2418"
