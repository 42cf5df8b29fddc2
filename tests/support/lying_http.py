"""A raw HTTP server on loopback whose every byte the test decides."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Answer = Callable[[socket.socket, str], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    """Call ``answer(connection, request target)`` for each connection; yields the base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.05)
    stop = threading.Event()
    threads: list[threading.Thread] = []

    def one(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(60)
            head = b""
            while b"\r\n\r\n" not in head:
                data = connection.recv(65536)
                if not data:
                    return
                head += data
            answer(connection, head.split(b" ", 2)[1].decode())

    def accept() -> None:
        while not stop.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            thread = threading.Thread(target=one, args=(connection,), daemon=True)
            thread.start()
            threads.append(thread)

    loop = threading.Thread(target=accept, daemon=True)
    loop.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        stop.set()
        loop.join()
        for thread in threads:
            thread.join(60)
        listener.close()


def reply(
    body: bytes = b"", *, status: str = "200 OK", headers: str = "", length: int | None = None
) -> bytes:
    """The bytes of one answer that ends its connection."""
    size = len(body) if length is None else length
    return (
        f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\nConnection: close\r\n{headers}\r\n".encode() + body
    )
