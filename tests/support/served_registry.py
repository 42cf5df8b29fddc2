"""The honest registry of ``trust_registry`` behind real HTTP on loopback, and the place where it can be made to lie.

A lie is a function ``(path, honest answer) -> answer``; an `Answer` may also be raw bytes on the wire.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from support.loopback import QuietHandler, on_loopback
from support.trust_registry import MemoryRegistry


@dataclass(frozen=True)
class Answer:
    """What goes back: a status, headers, a body; or with ``write`` whatever the lie writes to the wire itself."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    write: Callable[[Callable[[bytes], object]], None] | None = None


Lie = Callable[[str, Answer], Answer]


def honest(path: str, answer: Answer) -> Answer:
    return answer


@dataclass
class Served:
    """A running registry. ``asked`` lists the paths of all requests; set ``lie`` to change the answers."""

    registry: MemoryRegistry
    url: str
    lie: Lie = honest
    asked: list[str] = field(default_factory=list)


@contextlib.contextmanager
def served(registry: MemoryRegistry) -> Iterator[Served]:
    state = Served(registry, "")

    class Handler(QuietHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            path = self.path.lstrip("/").split("?")[0]
            state.asked.append(path)
            try:
                answer = Answer(body=state.registry.fetch(path))
            except KeyError:
                answer = Answer(404, b'{"title": "Not found"}', {"Content-Type": "application/problem+json"})
            answer = state.lie(path, answer)
            if answer.write is not None:
                self.close_connection = True
                with contextlib.suppress(OSError):
                    answer.write(self.wfile.write)
                return
            self.answer(answer.status, answer.body, answer.headers)

    with on_loopback(Handler) as port:
        state.url = f"http://127.0.0.1:{port}"
        yield state
