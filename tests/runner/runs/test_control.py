"""Requests of other processes: taken up in their order, and nothing that lies there ends the watching."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.runs import control
from polyphony_runner.runs.folder import RunFolder

GARBAGE = [
    b"",
    b"\xff\xfe",
    b"[]",
    b"[" * 100_000,
    b'"text"',
    b"{}",
    b'{"request": "stop"}',
    b'{"request": []}',
    b'{"request": "cancel", "unknown": 1}',
    b'{"request": "cancel", "node": 5}',
    b'{"request": "cancel", "undo": "no"}',
    b'{"request": "signal", "id": "a"}',
    b'{"request": "signal", "id": "a", "name": ["b"]}',
    b'{"request": "approve", "node": "a", "approved": "yes", "by": "me"}',
]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "r_one")


def test_requests_come_back_in_their_order(folder: RunFolder) -> None:
    asked: list[control.Request] = [
        SignalRequest("1", "go", {"a": [1]}, source={"by": "me"}),
        ApproveRequest("ask", True, "me"),
        CancelRequest("lint"),
        CancelRequest(None, "requested", undo=False),
    ]
    for one in asked:
        control.ask(folder, one)
    assert list(control.taken_requests(folder)) == asked
    assert list(control.taken_requests(folder)) == []


def test_what_is_no_request_is_removed_and_passed_over(folder: RunFolder) -> None:
    folder.control.mkdir(parents=True)
    for number, content in enumerate(GARBAGE):
        (folder.control / f"request-{number:02}.json").write_bytes(content)
    (folder.control / "request-folder.json").mkdir()
    (folder.control / "request-link.json").symlink_to("nowhere")
    control.ask(folder, CancelRequest())
    assert list(control.taken_requests(folder)) == [CancelRequest()]
    assert sorted(path.name for path in folder.control.iterdir()) == [
        "request-folder.json",
        "request-link.json",
    ]


def test_the_watcher_goes_on_after_garbage(folder: RunFolder) -> None:
    folder.control.mkdir(parents=True)
    (folder.control / "request-0.json").write_bytes(b"garbage")

    async def watched() -> control.Request:
        taken: asyncio.Future[control.Request] = asyncio.get_running_loop().create_future()
        watcher = asyncio.ensure_future(control.watch(folder, taken.set_result))
        while (folder.control / "request-0.json").exists():
            await asyncio.sleep(0.01)
        control.ask(folder, CancelRequest("later"))
        found = await asyncio.wait_for(taken, 60)
        watcher.cancel()
        return found

    assert asyncio.run(watched()) == CancelRequest("later")
