"""What a node says on standard output, protocol version 1: one JSON object a line (docs/runtimes.md).

```
{"type":"log","level":"info","message":"…"}                 {"type":"progress","done":3,"total":9,"message":"…"}
{"type":"usage","model":"…","input_tokens":1,"output_tokens":2,"usd":"0.01"}
{"type":"artifact","name":"report","path":"out/report.html","media_type":"text/html"}
{"type":"result","outputs":{…}}     or     {"type":"error","kind":"exit","message":"…","retryable":false,"trace":null}
```

Exactly one ``result`` or ``error``, and it is the last line. Lines ≤ 1 MiB, ≤ 10,000 of them, progress passed on
at most ten times a second. Anything else is an error of kind ``protocol`` (a passed bound: ``output``), and reading
stops there. ``usage`` is the node's own claim.
"""

from __future__ import annotations

import re
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from polyphony_runner.grants.masking import Masker
from polyphony_runner.grants.safe_files import clean_name
from polyphony_runner.runtimes import strict_json
from polyphony_runner.runtimes.failures import CLAIMABLE, NodeError
from polyphony_runner.runtimes.protocol import NodeEvent, Sink
from polyphony_schemas.values import ErrorKind, JsonObject, JsonValue

MAX_EVENTS = 10_000
MAX_LINE = 1 << 20
PROGRESS_SECONDS = 0.1
LEVELS = ("debug", "info", "warning", "error")
_MAX_MESSAGE = 64 << 10
_MEDIA_TYPE = re.compile(r"[ -~]{1,200}")
_MAX_COUNT = 1 << 53  # what every JSON reader keeps, and what may be summed
_DECIMAL = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file the node pointed at: ``path`` relative to the work folder, ``name`` a file port or free."""

    name: str
    path: str
    media_type: str | None


class ShapeError(ValueError):
    """A key of an event has the wrong shape."""


def text_of(event: JsonObject, key: str, default: str | None = None) -> str:
    """The text under a key. ShapeError for anything else."""
    value = event.get(key, default)
    if not isinstance(value, str):
        raise ShapeError(f"{key} is {value!r}, expected text")
    return value


def _number(event: JsonObject, key: str) -> float:
    value = event.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _MAX_COUNT:
        raise ShapeError(f"{key} is {str(value)[:40]}, expected a number")
    return value


class LineReader(ABC):
    """What every protocol on standard output has in common: one JSON object a line, within bounds, masked.

    ``outputs`` or ``error`` is what the node came to; ``files`` are those it pointed at. ``settles`` says that an
    answer holds whatever becomes of the program afterwards.
    """

    settles = False
    hint = "one JSON object a line, exactly one result or error and nothing after it; log text goes to stderr"

    def __init__(self, sink: Sink, masker: Masker, clock: Callable[[], float] = time.monotonic) -> None:
        self._sink = sink
        self._masker = masker
        self._clock = clock
        self._count = 0
        self._last_progress = -PROGRESS_SECONDS
        self.outputs: JsonObject | None = None
        self.error: NodeError | None = None
        self.files: list[NamedFile] = []

    @property
    def ended(self) -> bool:
        """Whether the result or error has been said."""
        return self.outputs is not None or self.error is not None

    def line(self, raw: bytes) -> None:
        """Take one line without its end. NodeError of kind ``protocol`` or ``output``."""
        self._count += 1
        if self._count > MAX_EVENTS:
            raise NodeError("output", "PLY3503", f"more than {MAX_EVENTS} lines on standard output")
        if len(raw) > MAX_LINE:
            raise NodeError("output", "PLY3503", f"a line of more than {MAX_LINE} bytes on standard output")
        try:
            value = strict_json.loads(raw)
            if not isinstance(value, Mapping):
                raise ShapeError("not an object")
            self._take(value)
        except ValueError as error:
            raise self._protocol(raw, str(error)) from None

    @abstractmethod
    def _take(self, message: JsonObject) -> None:
        """Act on one object, not masked yet; ShapeError says what is wrong with it."""

    def outcome(self) -> JsonObject:
        """The outputs, once the program has ended. NodeError: its own error, or ``protocol`` when it said none."""
        if self.error is not None:
            raise self.error
        if self.outputs is None:
            raise NodeError("protocol", "PLY3503", "the program ended without a result", hint=self.hint)
        return self.outputs

    def _protocol(self, raw: bytes, reason: str) -> NodeError:
        shown = self._masker.data(raw)[:200].decode(
            "utf-8", "replace"
        )  # cut last: half a secret is no form of it
        message = f"line {self._count} of standard output: {reason}; got {shown!r}"
        return NodeError("protocol", "PLY3503", message, hint=self.hint)

    def _say(self, level: str, message: str) -> None:
        self._sink(NodeEvent("log", {"level": level, "message": message[:_MAX_MESSAGE]}))

    def _progress(self, event: JsonObject, done: str = "done") -> None:
        """Pass on how far the work is, at most ten times a second; ``done`` is what the protocol calls it."""
        data: dict[str, JsonValue] = {"done": _number(event, done)}
        if event.get("total") is not None:
            data["total"] = _number(event, "total")
        if event.get("message") is not None:
            data["message"] = text_of(event, "message")[:_MAX_MESSAGE]
        now = self._clock()
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self._sink(NodeEvent("progress", data))


class EventReader(LineReader):
    """Reads the events of protocol version 1. Values are masked as they arrive."""

    def _take(self, message: JsonObject) -> None:
        kind = message.get("type")
        if self.ended:
            raise ShapeError("a line after the result or error")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise ShapeError(f"the type is {kind!r}, expected one of {', '.join(sorted(_HANDLERS))}")
        try:
            handler(self, cast("JsonObject", self._masker.value(message)))
        except ShapeError as error:
            raise ShapeError(f"{kind}: {error}") from None

    def _log(self, event: JsonObject) -> None:
        level = text_of(event, "level", "info")
        if level not in LEVELS:
            raise ShapeError(f"level is {level!r}, expected one of {', '.join(LEVELS)}")
        self._say(level, text_of(event, "message"))

    def _usage(self, event: JsonObject) -> None:
        data: dict[str, JsonValue] = {"model": text_of(event, "model")}
        for key in ("input_tokens", "output_tokens"):
            count = event.get(key, 0)
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < _MAX_COUNT:
                raise ShapeError(f"{key} is {str(count)[:40]}, expected a whole number")
            data[key] = count
        if event.get("usd") is not None:
            data["usd"] = usd = text_of(event, "usd")
            if not _DECIMAL.fullmatch(usd):
                raise ShapeError(f"usd is {usd!r}, expected a decimal text such as '0.01'")
        self._sink(NodeEvent("usage", data))

    def _artifact(self, event: JsonObject) -> None:
        media_type = text_of(event, "media_type") if event.get("media_type") is not None else None
        if media_type is not None and not _MEDIA_TYPE.fullmatch(media_type):
            raise ShapeError(f"media_type is {media_type!r}, expected one such as text/html")
        name = text_of(event, "name")
        if not 0 < len(name) <= 255 or "/" in name or not clean_name(name):
            raise ShapeError(f"name is {name!r}, expected a file name")
        self.files.append(NamedFile(name, text_of(event, "path"), media_type))

    def _result(self, event: JsonObject) -> None:
        outputs = event.get("outputs")
        if not isinstance(outputs, Mapping):
            raise ShapeError(f"outputs is {outputs!r}, expected an object")
        self.outputs = outputs

    def _error(self, event: JsonObject) -> None:
        claimed = text_of(event, "kind", "exit")
        kind = cast("ErrorKind", claimed if claimed in CLAIMABLE else "exit")
        trace = text_of(event, "trace") if event.get("trace") is not None else None
        retryable = event.get("retryable", False)
        if not isinstance(retryable, bool):
            raise ShapeError(f"retryable is {retryable!r}, expected true or false")
        message = text_of(event, "message")[:_MAX_MESSAGE]
        self.error = NodeError(kind, "PLY3506", message, trace=trace, retryable=retryable)


_HANDLERS: Mapping[str, Callable[[EventReader, JsonObject], None]] = {
    "log": EventReader._log,
    "progress": EventReader._progress,
    "usage": EventReader._usage,
    "artifact": EventReader._artifact,
    "result": EventReader._result,
    "error": EventReader._error,
}
