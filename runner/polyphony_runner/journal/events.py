"""One event and its line (docs/journal.md): JSON, then LF, chained by the SHA-256 of the previous line's bytes.

``docs/journal.md`` says what ``data`` holds for each type. Lines are ASCII (JSON escapes): a byte of the chain never
depends on who stores it.

>>> event = Event(0, 0, "run.started", None, None, {})
>>> encode_line(event, FIRST_PREV).decode()[:60]
'{"v":1,"seq":0,"at":"1970-01-01T00:00:00.000Z","type":"run.s'
>>> decode_line(encode_line(event, FIRST_PREV))[0] == event
True
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import get_args

from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal_line import FIRST_PREV, EventType, line_digest
from polyphony_schemas.values import JsonObject

__all__ = [
    "FIRST_PREV",
    "Event",
    "EventType",
    "decode_line",
    "encode_line",
    "format_time",
    "line_digest",
    "parse_time",
]

_TYPES = frozenset(get_args(EventType))
_KEYS = {"v", "seq", "at", "type", "node", "attempt", "data", "prev"}
_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Event:
    """One fact. ``at_ms`` is Unix time in milliseconds; ``node`` a path; ``attempt`` counts from 1."""

    seq: int
    at_ms: int
    type: EventType
    node: str | None = None
    attempt: int | None = None
    data: JsonObject = field(default_factory=dict)


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
    """The event of a line and the ``prev`` it names; ``JournalError`` PLY2103 when it is none."""
    try:
        document = json.loads(line)
        if document["v"] != 1 or document["type"] not in _TYPES or set(document) != _KEYS:
            raise ValueError("not an event of version 1")
        event = Event(
            seq=document["seq"],
            at_ms=parse_time(document["at"]),
            type=document["type"],
            node=document["node"],
            attempt=document["attempt"],
            data=document["data"],
        )
        return event, str(document["prev"])
    except (ValueError, KeyError, TypeError) as error:
        raise JournalError("PLY2103", f"a journal line is no event: {error} in {line[:80]!r}") from None


def format_time(at_ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def parse_time(text: str) -> int:
    """Unix time in milliseconds of what ``format_time`` wrote."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
