"""One contract for every journal; then what only a file can suffer."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.journal import Event, FileJournal, Journal, JournalError, MemoryJournal, read_journal
from polyphony_runner.journal.errors import JournalConflictError
from polyphony_runner.journal.file import is_held
from polyphony_schemas.journal import (
    FIRST_PREV,
    decode_line,
    encode_line,
    format_time,
    parse_time,
    verify_chain,
)

Make = Callable[[], Journal]
# The runner alone has no cluster: its extra is not installed there.
HAS_CLUSTER = find_spec("psycopg") is not None and find_spec("rq") is not None


if HAS_CLUSTER:
    from support.cluster_fixtures import database_url, postgres  # noqa: F401  # fixtures by their names


@pytest.fixture(params=["memory", "file", *(["cluster"] if HAS_CLUSTER else [])])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    if request.param == "memory":
        yield MemoryJournal
    elif request.param == "file":
        yield lambda: FileJournal(tmp_path / "journal.jsonl")
    else:
        from support.cluster_journal import held_journal

        with held_journal(request.getfixturevalue("database_url")) as journal:
            yield lambda: journal


def event(seq: int, text: str = "") -> Event:
    return Event(seq, 1000 + seq, "node.ready", "a", None, {"text": text})


def test_gives_back_what_was_appended_in_order(make: Make) -> None:
    journal = make()
    journal.append([event(0), event(1, "é\n\u2028")])
    journal.append([event(2)])
    assert list(journal.events()) == [event(0), event(1, "é\n\u2028"), event(2)]
    assert journal.next_seq == 3
    assert journal.head != FIRST_PREV


@pytest.mark.parametrize("seqs", [[1], [0, 2], [0, 0]])
def test_refuses_events_that_do_not_continue_and_writes_nothing(make: Make, seqs: list[int]) -> None:
    journal = make()
    with pytest.raises(JournalConflictError, match="goes on at"):
        journal.append([event(seq) for seq in seqs])
    assert list(journal.events()) == []


def test_an_event_that_json_cannot_say_is_refused_whole(make: Make) -> None:
    journal = make()
    with pytest.raises(ValueError, match="JSON"):
        journal.append([event(0), Event(1, 0, "node.ready", "a", None, {"n": float("nan")})])
    assert journal.next_seq == 0


def test_goes_on_where_the_last_writer_left(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with FileJournal(path) as journal:
        journal.append([event(0)])
        head = journal.head
    with FileJournal(path) as journal:
        assert (journal.next_seq, journal.head, journal.cut) == (1, head, 0)
        journal.append([event(1)])
    assert verify_chain(path.read_bytes().splitlines()).ok


def test_only_one_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    program = f"from polyphony_runner.journal import FileJournal\nfrom pathlib import Path\nFileJournal(Path({str(path)!r}))"
    with FileJournal(path):
        assert is_held(path)
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert "executed by another process" in done.stderr
    assert not is_held(path)


@pytest.mark.parametrize("torn", [b"{", b'{"v":1,"seq":1,"at":"2030', b"\0\0\0\0"])
def test_cuts_a_torn_last_line(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "journal.jsonl"
    with FileJournal(path) as journal:
        journal.append([event(0)])
    path.write_bytes(path.read_bytes() + torn)
    assert list(read_journal(path)) == [event(0)]
    with FileJournal(path) as journal:
        assert (journal.cut, journal.next_seq) == (len(torn), 1)
        journal.append([event(1)])
    assert list(read_journal(path)) == [event(0), event(1)]


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data.replace(b'"text":"x"', b'"text":"y"', 1),
        lambda data: b"".join(data.splitlines(keepends=True)[1:]),
        lambda data: data + data.splitlines(keepends=True)[-1],
        lambda data: data.replace(b"node.ready", b"node.reedy", 1),
        lambda data: data + b"not json\n",
    ],
)
def test_refuses_a_journal_that_was_changed(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "journal.jsonl"
    with FileJournal(path) as journal:
        journal.append([event(0, "x"), event(1, "x"), event(2, "x")])
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(JournalError) as refused:
        FileJournal(path)
    assert refused.value.code == "PLY2103"
    assert not is_held(path)


def test_notices_a_foreign_write(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with FileJournal(path) as journal:
        journal.append([event(0)])
        with path.open("ab") as stream:
            stream.write(b"foreign\n")
        with pytest.raises(JournalConflictError):
            journal.append([event(1)])


def test_a_full_disk_stops_the_writer_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    write = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, bytes(data)[: len(data) // 2])

    with FileJournal(path) as journal:
        journal.append([event(0)])
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(JournalError, match="No space left") as refused:
                journal.append([event(1)])
        assert refused.value.code == "PLY2106"
        with pytest.raises(JournalConflictError):
            journal.append([event(1)])
    with FileJournal(path) as journal:
        assert journal.cut > 0
        assert list(journal.events()) == [event(0)]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.integers(0, 2**40), st.integers(0, 2**42), st.dictionaries(st.text(), JSON, max_size=3))
def test_any_event_comes_back_from_its_line(seq: int, at_ms: int, data: dict[str, None]) -> None:
    before = Event(seq, at_ms, "node.progress", "a[3]/b", 2, data)
    line = encode_line(before, FIRST_PREV)
    assert b"\n" not in line
    assert decode_line(line) == (before, FIRST_PREV)


@given(st.integers(0, 2**42))
def test_times_keep_their_milliseconds(at_ms: int) -> None:
    assert parse_time(format_time(at_ms)) == at_ms
