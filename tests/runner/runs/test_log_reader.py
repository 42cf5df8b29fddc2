"""Logs of a run, read while it goes on: every line once, whatever attempt it is of, and in bounded memory."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.journal import Event
from polyphony_runner.journal.file import FileJournal
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.log_reader import follow_logs, read_logs
from polyphony_runner.runs.logs import RunLogs
from polyphony_schemas.journal import EventType


class Writer:
    """What a Conductor does to a run's journal and logs."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.folder = RunFolder(path)
        self.journal = FileJournal(self.folder.journal)
        self.logs = RunLogs(self.folder.logs)

    def event(
        self, type_: EventType, node: str | None = None, attempt: int | None = None, **data: object
    ) -> None:
        seq = self.journal.next_seq
        self.journal.append([Event(seq, seq, type_, node, attempt, data)])  # type: ignore[arg-type]  # JSON

    def say(self, node: str, attempt: int, message: str) -> None:
        self.logs.write(node, attempt, 0, {"level": "info", "message": message})

    def end(self, node: str, attempt: int, type_: EventType = "node.succeeded") -> None:
        self.event(type_, node, attempt, log=self.logs.seal(node, attempt))


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    made = Writer(tmp_path / "r_1")
    yield made
    made.logs.close()
    made.journal.close()


def messages(lines: Iterator[object]) -> list[str]:
    return [str(line["message"]) for line in lines]  # type: ignore[index]  # each is an object


def test_following_goes_over_attempts_and_ends_with_the_run(writer: Writer) -> None:
    found: list[str] = []
    seen = threading.Semaphore(0)

    def follow() -> None:
        for line in follow_logs(writer.folder, None):
            found.append(str(line["message"]))
            seen.release()

    follower = threading.Thread(target=follow)
    writer.event("run.created")
    follower.start()
    for attempt, end in ((1, "node.retrying"), (2, "node.retrying"), (3, "node.succeeded")):
        for word in ("one", "two"):
            writer.say("a", attempt, f"{attempt} {word}")
            assert seen.acquire(timeout=60)
        writer.say("a", attempt, f"{attempt} last")
        writer.end("a", attempt, end)  # type: ignore[arg-type]  # types of events as written
        assert seen.acquire(timeout=60)
    writer.say("b[7]/c", 1, "other")
    writer.end("b[7]/c", 1)
    writer.event("run.finished", status="succeeded", outputs={}, error=None)
    follower.join(timeout=60)  # although this process holds the journal still
    assert not follower.is_alive()
    assert found == [*(f"{n} {word}" for n in (1, 2, 3) for word in ("one", "two", "last")), "other"]


def test_one_node_takes_what_is_inside_it_along(writer: Writer) -> None:
    for node in ("b", "b[7]/c", "bc"):
        writer.say(node, 1, node)
    writer.end("b[7]/c", 1)
    assert messages(read_logs(writer.folder, "b")) == ["b[7]/c", "b"]
    assert messages(read_logs(writer.folder, "b[7]")) == ["b[7]/c"]
    assert messages(read_logs(writer.folder, None)) == ["b[7]/c", "b", "bc"]


def test_a_torn_line_hides_no_other(writer: Writer) -> None:
    writer.say("a", 1, "one")
    (live,) = writer.folder.logs.glob("live-*")
    with live.open("ab") as stream:
        stream.write(b'{"at":"20\n')
    writer.say("a", 1, "two")
    with live.open("ab") as stream:
        stream.write(b'{"half')
    assert messages(read_logs(writer.folder, None)) == ["one", "two"]


def test_many_lines_are_never_in_memory_together(writer: Writer) -> None:
    for number in range(20_000):
        writer.say("a", 1, f"{number} " + "x" * 200)
    writer.end("a", 1)
    tracemalloc.start()
    try:
        assert sum(1 for _ in read_logs(writer.folder, None)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_what_an_attempt_writes_past_the_bound_is_dropped_and_said_once(
    writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("polyphony_runner.runs.logs.MAX_BYTES", 10_000)
    for number in range(1_000):
        writer.say("a", 1, f"line {number}")
    writer.say("b", 1, "another attempt has room of its own")
    writer.end("a", 1)
    found = messages(read_logs(writer.folder, "a"))
    assert found[-1] == "more than 10000 bytes: the rest is dropped"
    assert found[:-1] == [f"line {number}" for number in range(len(found) - 1)]
    (log,) = [path for path in writer.folder.logs.iterdir() if not path.name.startswith("live-")]
    assert log.stat().st_size < 10_300
    assert messages(read_logs(writer.folder, "b")) == ["another attempt has room of its own"]
