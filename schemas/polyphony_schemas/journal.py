"""The journal of a run (docs/journal.md): one JSON object a line, each naming the line before it.

``prev`` is the SHA-256 of the previous line's bytes as written, without its LF; 64 zeros stand for "none before".
Lines are ASCII (JSON escapes): a byte of the chain never depends on who stores it.

    >>> first = encode_line(Event(0, 0, "run.created"), FIRST_PREV)
    >>> first.decode()[:60]
    '{"v":1,"seq":0,"at":"1970-01-01T00:00:00.000Z","type":"run.c'
    >>> decode_line(first) == (Event(0, 0, "run.created"), FIRST_PREV)
    True
    >>> second = encode_line(Event(1, 5, "run.started"), line_digest(first))
    >>> verify_chain([first, second]).ok
    True
    >>> verify_chain([first.replace(b"1970", b"1971"), second]).reason
    'line 2 names another line before it'

What ``data`` holds for each type is in ``docs/journal.md``. A chain alone can be cut or written anew by whoever owns
it: only a signed head proves where it came from.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, get_args

from polyphony_schemas.errors import FormatError
from polyphony_schemas.values import JsonObject

NO_EVENT = "PLY1820"
FIRST_PREV = "0" * 64

EventType = Literal[
    "trigger.received",
    "run.created",
    "run.started",
    "node.ready",
    "node.started",
    "node.progress",
    "node.usage",
    "node.connection",
    "node.succeeded",
    "node.failed",
    "node.retrying",
    "node.skipped",
    "node.dead",
    "node.cancelled",
    "node.waiting",
    "scope.opened",
    "scope.round",
    "scope.closed",
    "signal.received",
    "approval.given",
    "undo.started",
    "undo.done",
    "undo.failed",
    "run.halted",
    "run.resumed",
    "run.cancelling",
    "run.finished",
    "notification.sent",
]
_PATH_PART = r"[a-z][a-z0-9_]{0,62}(\[(0|[1-9][0-9]*)\])?"
NODE_PATH_PATTERN = rf"^{_PATH_PART}(/{_PATH_PART})*$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
HASH_PATTERN = r"^[0-9a-f]{64}$"

_KEYS = ("v", "seq", "at", "type", "node", "attempt", "data", "prev")
_TYPES = frozenset(get_args(EventType))
_NODE_PATH = re.compile(NODE_PATH_PATTERN)
_TIME = re.compile(TIME_PATTERN)
_HASH = re.compile(HASH_PATTERN)
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. ``at_ms`` is Unix time in milliseconds; ``node`` a path such as ``fix[3]/lint``; ``attempt`` from 1."""

    seq: int
    at_ms: int
    type: EventType
    node: str | None = None
    attempt: int | None = None
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What checking a chain found: how many lines hold, the digest of the last one, and why it stopped."""

    ok: bool
    events: int
    head: str
    reason: str = ""


def encode_line(event: Event, prev: str) -> bytes:
    """The bytes of the line, without its LF. ``ValueError`` for what JSON cannot say (NaN)."""
    document = {
        "v": 1,
        "seq": event.seq,
        "at": format_time(event.at_ms),
        "type": event.type,
        "node": event.node,
        "attempt": event.attempt,
        "data": event.data,
        "prev": prev,
    }
    return _ENCODER.encode(document).encode("ascii")


def decode_line(line: bytes) -> tuple[Event, str]:
    """The event of a line and the ``prev`` it names; FormatError (PLY1820) when it is none."""
    try:
        document = json.loads(line)
        wrong = _wrong(document)
        if not wrong:
            at_ms = parse_time(document["at"])
    except (ValueError, RecursionError) as error:
        wrong = str(error)
    if wrong:
        raise FormatError(
            NO_EVENT,
            f"got a line that is no journal event ({wrong[:200]})",
            hint="the journal was damaged or written by something else",
        )
    event = Event(
        document["seq"],
        at_ms,
        document["type"],
        document["node"],
        document["attempt"],
        document["data"],
    )
    return event, document["prev"]


def line_digest(line: bytes) -> str:
    """What the next line has to name as ``prev``."""
    return hashlib.sha256(line).hexdigest()


def verify_chain(lines: Iterable[bytes]) -> ChainCheck:
    """Check that lines (without LF) are events, numbered without a gap, each naming the one before."""
    head, count = FIRST_PREV, 0
    for line in lines:
        try:
            event, prev = decode_line(line)
        except FormatError as error:
            return ChainCheck(False, count, head, f"line {count + 1}: {error.message}")
        if event.seq != count:
            return ChainCheck(
                False, count, head, f"line {count + 1} has number {event.seq}, expected {count}"
            )
        if prev != head:
            return ChainCheck(False, count, head, f"line {count + 1} names another line before it")
        head, count = line_digest(line), count + 1
    return ChainCheck(True, count, head)


def format_time(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=8)  # many events of a busy run share a second
def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%S}"


def parse_time(text: str) -> int:
    """Unix time in milliseconds of what ``format_time`` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _wrong(document: Any) -> str:
    """What keeps a JSON value from being an event of version 1; empty when nothing does."""
    if not isinstance(document, dict) or document.keys() != set(_KEYS):
        return f"expected a map with the keys {', '.join(_KEYS)}"
    right = {
        "v": document["v"] == 1 and _is_int(document["v"]),
        "seq": _is_int(document["seq"]) and document["seq"] >= 0,
        "at": _matches(_TIME, document["at"]),
        "type": isinstance(document["type"], str) and document["type"] in _TYPES,
        "node": document["node"] is None or _matches(_NODE_PATH, document["node"]),
        "attempt": document["attempt"] is None or (_is_int(document["attempt"]) and document["attempt"] >= 1),
        "data": isinstance(document["data"], dict),
        "prev": _matches(_HASH, document["prev"]),
    }
    return "".join(f"{key}: got {str(document[key])[:80]!r}; " for key, ok in right.items() if not ok)


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None
