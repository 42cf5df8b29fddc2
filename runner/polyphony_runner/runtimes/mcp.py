"""One call of one tool of an MCP server: our side of the Model Context Protocol over standard input and output.

```
we      {"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":…,"capabilities":{},"clientInfo":{…}}}
server  {"jsonrpc":"2.0","id":1,"result":{"protocolVersion":…,"capabilities":{"tools":{}},…}}
we      {"jsonrpc":"2.0","method":"notifications/initialized"}
we      {"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":TOOL,"arguments":{…},"_meta":{…}}}
server  {"jsonrpc":"2.0","id":2,"result":{"content":[…],"structuredContent":{…},"isError":false}}
we      end of file
```

The server is hostile like any node: one JSON object a line, bounded and read strictly; it is answered, never obeyed.
Of what it may ask, ``ping`` is answered and everything else refused: no sampling, no roots, no elicitation. Its log
and progress notifications are the node's events, others are passed over. No library: the part that one call needs
is this page, and each byte of it is checked here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from polyphony_runner.grants.masking import Masker
from polyphony_runner.runtimes.events import LineReader, ShapeError, text_of
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import Sink
from polyphony_runner.sandbox.attending import Replies
from polyphony_schemas.values import ErrorKind, JsonObject, JsonValue

VERSIONS = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
REQUEST_KEY = "polyphony/request"
_OFFERED = "2025-06-18"
_INITIALIZE, _CALL = 1, 2
_METHOD_NOT_FOUND, _INVALID_PARAMS = -32601, -32602
_MAX_TEXT = 64 << 10
# The eight severities of the protocol, which are those of syslog.
_LEVELS = {
    "debug": "debug",
    "info": "info",
    "notice": "info",
    "warning": "warning",
    "error": "error",
    "critical": "error",
    "alert": "error",
    "emergency": "error",
}


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What is called: ``request`` is what every node is told, handed over under ``_meta`` for servers that look.

    ``only_text`` says that the extension declares no other output than the text.
    """

    tool: str
    arguments: JsonObject
    request: JsonObject
    only_text: bool


class McpReader(LineReader):
    """Reads what the server says and answers it by ``replies``; ``opening`` is to be written first."""

    settles = True
    hint = (
        "an MCP server on stdio writes one JSON-RPC message a line and nothing else; log text goes to stderr"
    )

    def __init__(
        self, call: ToolCall, sink: Sink, masker: Masker, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(sink, masker, clock)
        self._call = call
        self._awaited: int | None = _INITIALIZE
        self.replies = Replies()

    @property
    def opening(self) -> bytes:
        """The first request."""
        client: JsonObject = {"name": "polyphony", "version": "1"}
        parameters: JsonObject = {"protocolVersion": _OFFERED, "capabilities": {}, "clientInfo": client}
        return _message(id=_INITIALIZE, method="initialize", params=parameters)

    @property
    def cancelling(self) -> bytes:
        """What tells the server that nobody waits for the tool any more."""
        parameters: JsonObject = {"requestId": _CALL, "reason": "the run ends or the time is over"}
        return _message(method="notifications/cancelled", params=parameters)

    def _take(self, message: JsonObject) -> None:
        if message.get("jsonrpc") != "2.0":
            raise ShapeError(f"jsonrpc is {str(message.get('jsonrpc'))[:40]!r}, expected '2.0'")
        parameters = message.get("params", {})
        if "method" not in message:
            self._answered(message)
        elif not isinstance(parameters, Mapping):
            raise ShapeError("params is no object")
        elif "id" in message:
            self._asked(message["id"], text_of(message, "method"))
        else:
            self._notified(text_of(message, "method"), parameters)

    def _asked(self, number: JsonValue, method: str) -> None:
        """A request of the server's own. The client declared that it can do nothing."""
        if isinstance(number, bool) or not isinstance(number, str | int):
            raise ShapeError("the id of a request is neither text nor a whole number")
        if method == "ping":
            self.replies.say(_message(id=number, result={}))
        else:
            refusal: JsonObject = {"code": _METHOD_NOT_FOUND, "message": "this client offers nothing"}
            self.replies.say(_message(id=number, error=refusal))

    def _notified(self, method: str, parameters: JsonObject) -> None:
        said = cast("JsonObject", self._masker.value(parameters))
        if method == "notifications/message":
            data = said.get("data")
            text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
            self._say(_LEVELS.get(str(said.get("level")), "info"), text)
        elif method == "notifications/progress" and said.get("progressToken") == _CALL:
            self._progress(said, "progress")

    def _answered(self, message: JsonObject) -> None:
        number = message.get("id")
        if self._awaited is None or isinstance(number, bool) or number != self._awaited:
            raise ShapeError(f"an answer with the id {str(number)[:40]!r}, which nobody waits for")
        self._awaited = None
        if ("error" in message) == ("result" in message):
            raise ShapeError("an answer holds either a result or an error")
        if "error" in message:
            self.error = _refusal(cast("JsonObject", self._masker.value(message))["error"])
        elif number == _INITIALIZE:
            self._initialized(message["result"])
            return
        else:
            self._called(cast("JsonObject", self._masker.value(message))["result"])
        self.replies.end()

    def _initialized(self, result: JsonValue) -> None:
        if not isinstance(result, Mapping):
            raise ShapeError("the result of initialize is no object")
        if (version := text_of(result, "protocolVersion")) not in VERSIONS:
            raise ShapeError(
                f"the server speaks version {version[:40]!r}, expected one of {', '.join(VERSIONS)}"
            )
        meta: JsonObject = {"progressToken": _CALL, REQUEST_KEY: self._call.request}
        parameters: JsonObject = {
            "name": self._call.tool,
            "arguments": self._call.arguments,
            "_meta": meta,
        }
        self._awaited = _CALL
        self.replies.say(_message(method="notifications/initialized"))
        self.replies.say(_message(id=_CALL, method="tools/call", params=parameters))

    def _called(self, result: JsonValue) -> None:
        if not isinstance(result, Mapping):
            raise ShapeError("the result of tools/call is no object")
        failed, structured = result.get("isError", False), result.get("structuredContent")
        if not isinstance(failed, bool):
            raise ShapeError("isError is neither true nor false")
        if structured is not None and not isinstance(structured, Mapping):
            raise ShapeError("structuredContent is no object")
        text = self._text(result.get("content", []))
        if failed:
            said = text or "the tool said that it failed, and nothing else"
            self.error = NodeError("exit", "PLY3752", said[:_MAX_TEXT], retryable=True)
        elif structured is None or self._call.only_text:
            self.outputs = {"text": text}
        else:
            self.outputs = structured

    def _text(self, content: JsonValue) -> str:
        """The text of a result; what is no text is said to be left out."""
        if isinstance(content, str) or not isinstance(content, Sequence):
            raise ShapeError("content is no list")
        texts, others = [], []
        for block in content:
            if not isinstance(block, Mapping):
                raise ShapeError("a block of content is no object")
            kind, resource = text_of(block, "type"), block.get("resource")
            if kind == "text":
                texts.append(text_of(block, "text"))
            elif kind == "resource" and isinstance(resource, Mapping) and "text" in resource:
                texts.append(text_of(resource, "text"))
            else:
                others.append(kind[:40])
        if others:
            self._say("warning", f"the tool's answer holds what is no text, left out: {', '.join(others)}")
        return "\n".join(texts)


def _refusal(error: JsonValue) -> NodeError:
    """The error of JSON-RPC that a server answered with."""
    if not isinstance(error, Mapping) or isinstance(error.get("code"), bool):
        raise ShapeError("error is no object with a code")
    code, message = error.get("code"), text_of(error, "message")[:_MAX_TEXT]
    if not isinstance(code, int):
        raise ShapeError("the code of an error is no whole number")
    kind: ErrorKind = "validation" if code == _INVALID_PARAMS else "exit"
    return NodeError(
        kind,
        "PLY3751",
        f"the MCP server refused with {str(code)[:20]}: {message}",
        hint="compare the tool's name, its inputs and its parameters with what the server offers",
    )


def _message(**members: JsonValue) -> bytes:
    """One line of JSON-RPC; half a surrogate pair, which a path of the host may hold, travels escaped."""
    document = {"jsonrpc": "2.0", **members}
    return json.dumps(document, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
