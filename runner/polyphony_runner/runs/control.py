"""Requests of other processes to the one that executes a run: small files in the run's ``control/`` folder.

The asking process writes ``request-<time>-<random>.json`` (atomically) and watches the journal for the effect; the
executing one takes the files up in their order, within a tenth of a second, and removes them.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from types import NoneType
from typing import TypeAlias

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.files import private_folder, write_atomic
from polyphony_runner.journal.file import is_held, read_journal
from polyphony_runner.runs.folder import RunFolder

_PAUSE = 0.1
Request: TypeAlias = CancelRequest | SignalRequest | ApproveRequest
_REQUESTS: dict[str, type[Request]] = {
    "cancel": CancelRequest,
    "signal": SignalRequest,
    "approve": ApproveRequest,
}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "node": (str, NoneType),
    "reason": str,
    "undo": bool,
    "id": str,
    "name": str,
    "persistent": bool,
    "source": dict,
    "approved": bool,
    "by": str,
    "comment": (str, NoneType),
}
_FINAL_TYPES = (
    "node.succeeded",
    "node.failed",
    "node.skipped",
    "node.dead",
    "node.cancelled",
    "scope.closed",
)


async def watch(folder: RunFolder, request: Callable[[Request], None]) -> None:
    """Hand every request to the Conductor, until cancelled. What is no request, or cannot be read, is passed over."""
    while True:
        for one in taken_requests(folder):
            request(one)
        await asyncio.sleep(_PAUSE)


def taken_requests(folder: RunFolder) -> Iterator[Request]:
    """What others left, in their order; each is removed before it is given. What is no request is removed."""
    for path in _requests(folder.control):
        try:
            written = path.read_bytes()
            path.unlink()
        except OSError:  # gone meanwhile, or unreadable: what comes later is taken up all the same
            continue
        request = _parsed(written)
        if request is not None:
            yield request


def _parsed(written: bytes) -> Request | None:
    """The request in a file; None for anything that ``ask`` does not write."""
    try:
        wanted = json.loads(written)
        kind = _REQUESTS[wanted.pop("request")]
        if any(not isinstance(value, _TYPES.get(name, object)) for name, value in wanted.items()):
            return None
        return kind(**wanted)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def ask(folder: RunFolder, request: Request) -> None:
    """Leave a request for the executing process."""
    private_folder(folder.control)
    path = folder.control / f"request-{time.time_ns():020}-{secrets.token_hex(4)}.json"
    name = next(name for name, kind in _REQUESTS.items() if isinstance(request, kind))
    write_atomic(path, json.dumps({"request": name, **asdict(request)}).encode())


def took_effect(folder: RunFolder, node: str | None, patience: float) -> bool:
    """Wait until the journal says that the run, or the node, is over; False when its process ended before that.

    ``patience`` is for each next event: taking things back may need longer than all of it.
    """
    end, size = time.monotonic() + patience, -1
    while time.monotonic() < end:
        held, grown = is_held(folder.journal), folder.journal.stat().st_size
        if grown != size:
            end, size = time.monotonic() + patience, grown
        for event in read_journal(folder.journal):
            if event.type == "run.finished" or (
                node is not None and event.node == node and event.type in _FINAL_TYPES
            ):
                return True
        if not held:
            return False
        time.sleep(_PAUSE)
    return False


def clear(folder: RunFolder) -> None:
    """Forget requests that nobody took up."""
    for path in _requests(folder.control):
        path.unlink(missing_ok=True)


def _requests(folder: Path) -> Iterator[Path]:
    if folder.is_dir():
        yield from sorted(path for path in folder.glob("request-*.json") if path.is_file())
