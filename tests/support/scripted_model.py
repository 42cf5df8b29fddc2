"""An OpenAI-compatible server that says what a test wrote down, answer by answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from support.loopback import QuietHandler, on_loopback


@dataclass(frozen=True)
class Say:
    """One answer: ``text`` with ``status``; or a connection that ends, or goes silent, after half of the text."""

    text: str = ""
    status: int = 200
    then: Literal["end", "drop", "hang"] = "end"


@dataclass
class Script:
    """The answers in order, the last one again and again; and what was asked."""

    answers: list[Say]
    requests: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    port: int = 0
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next(self) -> Say:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def event(text: str | None, **more: Any) -> bytes:
    """One server-sent event of a streamed completion."""
    delta = {} if text is None else {"role": "assistant", "content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": None if text is not None else "stop"}
    body = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [choice],
    }
    return b"data: " + json.dumps({**body, **more}).encode() + b"\n\n"


Scripted = Callable[..., AbstractContextManager[Script]]


@contextmanager
def scripted_model(*answers: Say) -> Iterator[Script]:
    """Serve the answers on a free loopback port."""
    with scripted_server() as scripted, scripted(*answers) as script:
        yield script


@contextmanager
def scripted_server() -> Iterator[Scripted]:
    """A server on a free loopback port: each ``with scripted(answers...)`` has its own answers, at one address."""

    class Handler(_Speaking):
        script = Script([])

    with on_loopback(Handler) as port:

        @contextmanager
        def scripted(*answers: Say) -> Iterator[Script]:
            Handler.script = Script(list(answers), port=port)
            try:
                yield Handler.script
            finally:
                Handler.script.over.set()

        yield scripted


class _Speaking(QuietHandler):
    """Speaks the script of its class."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[Script]

    def do_POST(self) -> None:
        script = self.script
        body = self.rfile.read(int(self.headers["Content-Length"]))
        script.requests.append(json.loads(body))
        script.keys.append(self.headers.get("Authorization", ""))
        answer = script.next()
        if answer.status != 200:
            error = json.dumps({"error": {"message": answer.text, "type": "x", "code": "x"}}).encode()
            self.answer(answer.status, error, {"Content-Type": "application/json"})
            return
        if not script.requests[-1].get("stream"):
            raise AssertionError("expected a streamed request")
        self._stream(answer, script)

    def _stream(self, answer: Say, script: Script) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("Connection", "close")
        self.end_headers()
        half = len(answer.text) // 2
        self._send(event(answer.text[:half]))
        if answer.then == "hang":
            script.over.wait(60)
        if answer.then != "end":
            return
        self._send(event(answer.text[half:]))
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        self._send(event(None, usage=usage) + b"data: [DONE]\n\n")
        self._send(b"")

    def _send(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()
