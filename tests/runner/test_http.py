"""Reading a server that lies about size, time, encoding and place."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from polyphony_runner.errors import TransportError
from polyphony_runner.http import Transport
from polyphony_runner.wire import Pace
from support.lying_http import reply, serving

# For answers that are slow on purpose; all others get the patience of a busy machine.
FAST = Pace(seconds=2.0, rate=10_000, grace=0.2)
PATIENT = Pace(seconds=60.0, rate=1_000, grace=20.0)


def refused(url: str, *, limit: int = 1000, pace: Pace = PATIENT) -> TransportError:
    with Transport(pace=pace) as transport, pytest.raises(TransportError) as caught:
        transport.get(url, limit=limit)
    assert caught.value.hint
    return caught.value


def test_reads_a_body_and_tells_progress() -> None:
    seen: list[tuple[int, int | None]] = []
    with serving(lambda c, _: c.sendall(reply(b"hello"))) as url, Transport(pace=PATIENT) as transport:
        response = transport.get(url + "/x", limit=10, progress=lambda got, total: seen.append((got, total)))
    assert (response.status, response.body) == (200, b"hello")
    assert seen[-1] == (5, 5)


def test_keeps_a_connection_and_notices_when_it_died() -> None:
    connections: list[str] = []

    def twice(connection: socket.socket, target: str) -> None:
        connections.append(target)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        if connection.recv(65536):  # the second request finds a closed door
            connection.shutdown(socket.SHUT_RDWR)

    with serving(twice) as url, Transport(pace=PATIENT) as transport:
        assert transport.get(url + "/1", limit=10).body == b"ok"
        assert transport.get(url + "/2", limit=10).body == b"ok"
    assert connections == ["/1", "/2"]


def test_refuses_a_declared_size_over_the_limit() -> None:
    with serving(lambda c, _: c.sendall(reply(b"x", length=10**12))) as url:
        assert refused(url).code == "PLY6102"


def test_refuses_an_endless_body() -> None:
    def endless(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(endless) as url:
        assert refused(url).code == "PLY6102"


def test_refuses_endless_headers() -> None:
    def endless(connection: socket.socket, _: str) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            connection.sendall(b"X-%d: %s\r\n" % (number, b"y" * 1000))

    with serving(endless) as url:
        assert refused(url).code in {"PLY6102", "PLY6105"}


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"])
def test_refuses_a_drip(head: bytes) -> None:
    stop = threading.Event()

    def drip(connection: socket.socket, _: str) -> None:
        connection.sendall(head)
        while not stop.wait(0.02):
            connection.sendall(b"x")

    with serving(drip) as url:
        error = refused(url, pace=FAST)
        stop.set()
    assert error.code == "PLY6103"


def test_refuses_silence() -> None:
    stop = threading.Event()

    def silence(_: socket.socket, __: str) -> None:
        stop.wait(60)

    with serving(silence) as url:
        error = refused(url, pace=FAST)
        stop.set()
    assert error.code == "PLY6103"


def test_refuses_a_truncated_body() -> None:
    with serving(lambda c, _: c.sendall(reply(b"half", length=8))) as url:
        assert refused(url).code == "PLY6105"


def test_refuses_what_is_no_http() -> None:
    with serving(lambda c, _: c.sendall(b"SSH-2.0-OpenSSH\r\n")) as url:
        assert refused(url).code == "PLY6105"


def test_refuses_a_compressed_answer() -> None:
    with serving(lambda c, _: c.sendall(reply(b"\x1f\x8b", headers="Content-Encoding: gzip\r\n"))) as url:
        assert refused(url).code == "PLY6108"


@pytest.mark.parametrize(
    "place", ["http://127.0.0.1:1/x", "http://169.254.169.254/", "https://127.0.0.1/", ""]
)
def test_follows_no_redirect_to_another_server(place: str) -> None:
    with serving(lambda c, _: c.sendall(reply(status="302 Found", headers=f"Location: {place}\r\n"))) as url:
        assert refused(url).code == "PLY6104"


def test_follows_a_redirect_on_the_same_server_and_no_circle() -> None:
    def answer(connection: socket.socket, target: str) -> None:
        there = reply(b"here")
        connection.sendall(there if target == "/b" else reply(status="302 Found", headers="Location: /b\r\n"))

    with serving(answer) as url, Transport(pace=PATIENT) as transport:
        assert transport.get(url + "/a", limit=10).body == b"here"
    with serving(lambda c, _: c.sendall(reply(status="302 Found", headers="Location: /a\r\n"))) as url:
        assert refused(url + "/a").code == "PLY6104"


def test_an_error_answer_carries_its_status_and_what_it_says() -> None:
    body = b'{"title": "No such package", "detail": "there is no acme/flows"}'
    with serving(lambda c, _: c.sendall(reply(body, status="404 Not Found"))) as url:
        error = refused(url)
    assert (error.code, error.details["status"]) == ("PLY6106", 404)
    assert "there is no acme/flows" in error.message


def test_what_a_server_says_does_not_steer_the_terminal() -> None:
    body = b'{"detail": "\\u001b[2Jgone\\u0007"}'
    with serving(lambda c, _: c.sendall(reply(body, status="500 Oops"))) as url:
        error = refused(url)
    assert error.message.endswith("answered 500: [2Jgone")


def test_an_address_that_nobody_answers_or_that_is_none() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert refused(f"http://127.0.0.1:{port}/").code == "PLY6101"
    for url in ("ftp://example.com/", "registry", "http://", "http://h:99999/"):
        assert refused(url).code == "PLY6101"


def test_offline_asks_nobody(tmp_path: Path) -> None:
    with Transport(offline=True) as transport, pytest.raises(TransportError) as caught:
        transport.get("http://127.0.0.1:1/", limit=1)
    assert caught.value.code == "PLY6107"
