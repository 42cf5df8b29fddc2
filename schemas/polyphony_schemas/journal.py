"""The journal of a run, read and checked (docs/journal.md): one JSON object a line, each naming the line before it.

``prev`` is the SHA-256 of the previous line's bytes as written, without its LF; 64 zeros stand for "none before".

    >>> first = JournalEvent(v=1, seq=0, at="2030-01-01T00:00:00.000Z", type="run.created", node=None,
    ...                      attempt=None, data={}, prev=FIRST_PREV)
    >>> line = encode_event(first)
    >>> second = first.model_copy(update={"seq": 1, "type": "run.started", "prev": line_digest(line)})
    >>> verify_chain([line, encode_event(second)]).ok
    True
    >>> verify_chain([line.replace(b"2030", b"2031"), encode_event(second)]).reason
    'line 2 names another line before it'

What ``data`` holds for each type is in ``docs/journal.md``. A chain alone can be cut or written anew by whoever owns
it: only a signed head proves where it came from.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic import JsonValue as PydanticJson

from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal_line import FIRST_PREV, EventType, line_digest

NO_EVENT = "PLY1820"
_PATH_PART = r"[a-z][a-z0-9_]{0,62}(\[(0|[1-9][0-9]*)\])?"
NODE_PATH_PATTERN = rf"^{_PATH_PART}(/{_PATH_PART})*$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?Z$"
HASH_PATTERN = r"^[0-9a-f]{64}$"


def _matching(pattern: str) -> Any:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"expected {pattern}")
        return text

    return AfterValidator(check)


NodePathText = Annotated[
    str, _matching(NODE_PATH_PATTERN), Field(json_schema_extra={"pattern": NODE_PATH_PATTERN})
]
TimeText = Annotated[str, _matching(TIME_PATTERN), Field(json_schema_extra={"pattern": TIME_PATTERN})]
HashText = Annotated[str, _matching(HASH_PATTERN), Field(json_schema_extra={"pattern": HASH_PATTERN})]


class JournalEvent(BaseModel):
    """One line. ``node`` is a path such as ``fix[3]/lint``; ``attempt`` counts from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    v: Literal[1]
    seq: Annotated[int, Field(ge=0)]
    at: TimeText
    type: EventType
    node: NodePathText | None
    attempt: Annotated[int, Field(ge=1)] | None
    data: dict[str, PydanticJson]
    prev: HashText


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What checking a chain found: how many lines hold, the digest of the last one, and why it stopped."""

    ok: bool
    events: int
    head: str
    reason: str = ""


def encode_event(event: JournalEvent) -> bytes:
    """The line of an event, without its LF: ASCII, keys in the order of the contract."""
    return json.dumps(event.model_dump(), separators=(",", ":"), allow_nan=False).encode("ascii")


def decode_event(line: bytes) -> JournalEvent:
    """The event of a line; raises FormatError (PLY1820)."""
    try:
        return JournalEvent.model_validate(json.loads(line))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the line"
        message = f"{where}: {first['msg']}"
    except (ValueError, RecursionError) as error:
        message = str(error)
    raise FormatError(
        NO_EVENT,
        f"got a line that is no journal event ({message[:200]})",
        hint="the journal was damaged or written by something else",
    )


def verify_chain(lines: Iterable[bytes]) -> ChainCheck:
    """Check that lines (without LF) are events, numbered without a gap, each naming the one before."""
    head, count = FIRST_PREV, 0
    for line in lines:
        try:
            event = decode_event(line)
        except FormatError as error:
            return ChainCheck(False, count, head, f"line {count + 1}: {error.message}")
        if event.seq != count:
            return ChainCheck(
                False, count, head, f"line {count + 1} has number {event.seq}, expected {count}"
            )
        if event.prev != head:
            return ChainCheck(False, count, head, f"line {count + 1} names another line before it")
        head, count = line_digest(line), count + 1
    return ChainCheck(True, count, head)
