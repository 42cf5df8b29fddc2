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


class EventReader:
    """Reads the lines of one execution. Values are masked as they arrive."""

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
        except ValueError as error:
            raise self._protocol(raw, str(error)) from None
        if not isinstance(value, Mapping):
            raise self._protocol(raw, "not an object")
        kind = value.get("type")
        if self.ended:
            raise self._protocol(raw, "a line after the result or error")
        handler = _HANDLERS.get(kind) if isinstance(kind, str) else None
        if handler is None:
            raise self._protocol(raw, f"the type is {kind!r}, expected one of {', '.join(sorted(_HANDLERS))}")
        try:
            handler(self, cast("JsonObject", self._masker.value(value)))
        except _ShapeError as error:
            raise self._protocol(raw, f"{kind}: {error}") from None

    def outcome(self) -> JsonObject:
        """The outputs, once the program has ended. NodeError: its own error, or ``protocol`` when it said none."""
        if self.error is not None:
            raise self.error
        if self.outputs is None:
            raise NodeError(
                "protocol",
                "PLY3503",
                "the program ended without a result line",
                hint='write {"type": "result", "outputs": {…}} as the last line of standard output',
            )
        return self.outputs

    def _protocol(self, raw: bytes, reason: str) -> NodeError:
        shown = self._masker.data(raw)[:200].decode(
            "utf-8", "replace"
        )  # cut last: half a secret is no form of it
        return NodeError(
            "protocol",
            "PLY3503",
            f"line {self._count} of standard output: {reason}; got {shown!r}",
            hint="one JSON object a line, exactly one result or error and nothing after it; log text goes to stderr",
        )

    def _log(self, event: JsonObject) -> None:
        level = _text(event, "level", "info")
        if level not in LEVELS:
            raise _ShapeError(f"level is {level!r}, expected one of {', '.join(LEVELS)}")
        self._sink(NodeEvent("log", {"level": level, "message": _text(event, "message")[:_MAX_MESSAGE]}))

    def _progress(self, event: JsonObject) -> None:
        data: dict[str, JsonValue] = {"done": _number(event, "done")}
        if event.get("total") is not None:
            data["total"] = _number(event, "total")
        if event.get("message") is not None:
            data["message"] = _text(event, "message")[:_MAX_MESSAGE]
        now = self._clock()
        if now - self._last_progress >= PROGRESS_SECONDS:
            self._last_progress = now
            self._sink(NodeEvent("progress", data))

    def _usage(self, event: JsonObject) -> None:
        data: dict[str, JsonValue] = {"model": _text(event, "model")}
        for key in ("input_tokens", "output_tokens"):
            count = event.get(key, 0)
            if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count < _MAX_COUNT:
                raise _ShapeError(f"{key} is {str(count)[:40]}, expected a whole number")
            data[key] = count
        if event.get("usd") is not None:
            data["usd"] = usd = _text(event, "usd")
            if not _DECIMAL.fullmatch(usd):
                raise _ShapeError(f"usd is {usd!r}, expected a decimal text such as '0.01'")
        self._sink(NodeEvent("usage", data))

    def _artifact(self, event: JsonObject) -> None:
        media_type = _text(event, "media_type") if event.get("media_type") is not None else None
        if media_type is not None and not _MEDIA_TYPE.fullmatch(media_type):
            raise _ShapeError(f"media_type is {media_type!r}, expected one such as text/html")
        name = _text(event, "name")
        if not 0 < len(name) <= 255 or "/" in name or not clean_name(name):
            raise _ShapeError(f"name is {name!r}, expected a file name")
        self.files.append(NamedFile(name, _text(event, "path"), media_type))

    def _result(self, event: JsonObject) -> None:
        outputs = event.get("outputs")
        if not isinstance(outputs, Mapping):
            raise _ShapeError(f"outputs is {outputs!r}, expected an object")
        self.outputs = outputs

    def _error(self, event: JsonObject) -> None:
        claimed = _text(event, "kind", "exit")
        kind = cast("ErrorKind", claimed if claimed in CLAIMABLE else "exit")
        trace = _text(event, "trace") if event.get("trace") is not None else None
        retryable = event.get("retryable", False)
        if not isinstance(retryable, bool):
            raise _ShapeError(f"retryable is {retryable!r}, expected true or false")
        message = _text(event, "message")[:_MAX_MESSAGE]
        self.error = NodeError(kind, "PLY3506", message, trace=trace, retryable=retryable)


class _ShapeError(Exception):
    """A key of an event has the wrong shape."""


def _text(event: JsonObject, key: str, default: str | None = None) -> str:
    value = event.get(key, default)
    if not isinstance(value, str):
        raise _ShapeError(f"{key} is {value!r}, expected text")
    return value


def _number(event: JsonObject, key: str) -> float:
    value = event.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or abs(value) > _MAX_COUNT:
        raise _ShapeError(f"{key} is {str(value)[:40]}, expected a number")
    return value


_HANDLERS: Mapping[str, Callable[[EventReader, JsonObject], None]] = {
    "log": EventReader._log,
    "progress": EventReader._progress,
    "usage": EventReader._usage,
    "artifact": EventReader._artifact,
    "result": EventReader._result,
    "error": EventReader._error,
}
