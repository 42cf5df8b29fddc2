"""The proxy by itself: what it matches, where names may lead, that it leaks nothing."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from ipaddress import ip_address

import pytest

from polyphony_runner.sandbox import Endpoint, tunnel
from polyphony_runner.sandbox.endpoints import grant_text, normal_host, parse_endpoint
from polyphony_runner.sandbox.errors import SandboxError
from polyphony_runner.sandbox.proxy import Proxy
from polyphony_runner.sandbox.reach import is_metadata, reachable

PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "1.1.1.1", "::ffff:1.1.1.1"]
PRIVATE = [
    *("127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "255.255.255.255"),
    *("100.64.0.1", "168.63.129.16", "224.0.0.1", "192.0.0.192", "192.0.2.1", "198.18.0.1", "240.0.0.1"),
    *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "::127.0.0.1"),
    *("2002:7f00:1::1", "2001:db8::1", "2001::1", "3fff::1", "::ffff:127.0.0.1", "fd00:ec2::254"),
]
REFUSED_HOSTS = [
    *("127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1.", "user@example.com", "exa%6dple.com"),
    *(
        "[fe80::1%eth0]",
        "[127.0.0.1]",
        "::1",
        "*.example.com",
        "",
        "a..b",
        "-a.example",
        "a" * 64 + ".example",
    ),
]


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_reachable(text: str) -> None:
    assert reachable(ip_address(text))


@pytest.mark.parametrize("text", PRIVATE)
def test_addresses_of_this_machine_and_network_are_not(text: str) -> None:
    assert not reachable(ip_address(text))


def test_metadata_stays_refused_even_for_private_grants() -> None:
    assert [
        is_metadata(ip_address(a)) for a in ("169.254.169.254", "fd00:ec2::254", "168.63.129.16", "10.0.0.1")
    ] == [
        True,
        True,
        True,
        False,
    ]


@pytest.mark.parametrize("text", REFUSED_HOSTS)
def test_spellings_that_a_lenient_parser_would_take_are_refused(text: str) -> None:
    with pytest.raises(SandboxError) as caught:
        normal_host(text)
    assert caught.value.code == "PLY3007"


def test_a_grant_is_read_in_its_one_spelling() -> None:
    assert parse_endpoint("API.Example.com.:443") == Endpoint("api.example.com", 443)
    assert parse_endpoint("http://127.0.0.1:11434") == Endpoint("127.0.0.1", 11434, plain=True, private=True)
    assert parse_endpoint("[::1]:80") == Endpoint("::1", 80, private=True)
    assert grant_text("::1", 80, plain=True) == "http://[::1]:80"
    for bad in (
        "example.com",
        "example.com:0",
        "example.com:080",
        "https://example.com:443",
        "example.com:99999",
    ):
        with pytest.raises(SandboxError):
            parse_endpoint(bad)


@asynccontextmanager
async def proxied(proxy: Proxy) -> AsyncIterator[int]:
    """The proxy on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    port: int = listener.getsockname()[1]
    async with proxy.serving(listener):
        yield port


@asynccontextmanager
async def echo_server() -> AsyncIterator[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while chunk := await reader.read(4096):
            writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def ask(port: int, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    answer = await reader.read(4096)
    writer.close()
    return answer


def test_a_resolver_that_flips_is_asked_once_and_its_checked_address_is_connected() -> None:
    asked: list[str] = []

    async def flipping(host: str, _port: int) -> Sequence[str]:
        asked.append(host)
        return ["169.254.169.254"] if len(asked) > 1 else ["127.0.0.1"]

    async def main() -> None:
        async with echo_server() as target:
            proxy = Proxy([Endpoint("flip.example", target, private=True)], resolve=flipping)
            async with proxied(proxy) as port:
                head = f"CONNECT flip.example:{target} HTTP/1.1\r\n\r\n".encode()
                assert (await ask(port, head)).startswith(b"HTTP/1.1 200")
                assert b"403" in await ask(port, head)
        assert sorted(c.address for c in proxy.connections) == ["", "127.0.0.1"]
        assert asked == ["flip.example"] * 2

    asyncio.run(main())


def test_bad_answers_of_the_resolver_are_dropped() -> None:
    async def rebinding(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1", "169.254.169.254", "::1"]

    async def main() -> None:
        proxy = Proxy([Endpoint("bind.example", 443)], resolve=rebinding)
        async with proxied(proxy) as port:
            assert b"private: true" in await ask(port, b"CONNECT bind.example:443 HTTP/1.1\r\n\r\n")
        assert proxy.connections[0].reason == "resolves-private"

    asyncio.run(main())


def test_requests_that_are_no_proxy_requests_are_refused() -> None:
    async def main() -> None:
        async with proxied(Proxy([])) as port:
            for head in (
                b"GET / HTTP/1.1\r\n\r\n",
                b"CONNECT a:1 HTTP/3\r\n\r\n",
                b"CONNECT user@a.example:1 HTTP/1.1\r\n\r\n",
                b"GET http://user@a.example/ HTTP/1.1\r\n\r\n",
                b"GET https://a.example/ HTTP/1.1\r\n\r\n",
                b"GET http://a.example/\nX-Forged:1 HTTP/1.1\r\n\r\n",
                b"GET http://a.example/ HTTP/1.1\r\n .other.example\r\n\r\n",
                b"GET http://a.example/ HTTP/1.1\r\nHost : other.example\r\n\r\n",
                b"GET http://a.example/ HTTP/1.1\r\nno name\r\n\r\n",
            ):
                assert (await ask(port, head)).startswith(b"HTTP/1.1 405"), head
            assert await ask(port, b"x" * 20_000) == b""

    asyncio.run(main())


def test_the_machines_own_proxy_is_used_outside_and_said() -> None:
    async def main() -> None:
        async with echo_server() as target:
            upstream = Proxy([Endpoint("far.example", target, private=True)], resolve=_loopback)
            async with proxied(upstream) as upstream_port:
                ours = Proxy(
                    [Endpoint("far.example", target)], host_proxy=f"http://127.0.0.1:{upstream_port}"
                )
                async with proxied(ours) as port:
                    answer = await ask(port, f"CONNECT far.example:{target} HTTP/1.1\r\n\r\n".encode())
                    assert answer.startswith(b"HTTP/1.1 200")
                assert [(c.via, c.verdict) for c in ours.connections] == [("upstream", "allowed")]

    asyncio.run(main())


def test_the_machines_own_proxy_gets_its_password_with_a_plain_request_too() -> None:
    async def main() -> None:
        async with echo_server() as machines:
            ours = Proxy(
                [Endpoint("far.example", 80, plain=True)], host_proxy=f"http://me:a%20b@127.0.0.1:{machines}"
            )
            async with proxied(ours) as port:
                echoed = await ask(
                    port, b"GET http://far.example/x HTTP/1.1\r\nProxy-Authorization: no\r\n\r\n"
                )
        assert echoed.splitlines() == [
            b"GET http://far.example:80/x HTTP/1.1",
            b"Host: far.example:80",
            b"Proxy-Authorization: Basic bWU6YSBi",
            b"Connection: close",
            b"",
        ]

    asyncio.run(main())


async def _loopback(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


def test_many_tunnels_leave_no_descriptor_behind() -> None:
    async def main() -> None:
        async with echo_server() as target:
            proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
            async with proxied(proxy) as port:
                head = f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode()
                await ask(port, head)
                before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
                for _ in range(10):
                    await asyncio.gather(*(ask(port, head) for _ in range(20)))
                for _ in range(3000):
                    if len(os.listdir("/proc/self/fd")) <= before:  # noqa: PTH208
                        break
                    await asyncio.sleep(0.01)
                assert len(os.listdir("/proc/self/fd")) <= before + 2  # noqa: PTH208
            assert len(proxy.connections) == 201

    asyncio.run(main())


def test_more_tunnels_than_the_bound_are_refused() -> None:
    async def main() -> None:
        async with echo_server() as target:
            proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
            async with proxied(proxy) as port:
                head = f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode()
                open_ends = []
                for _ in range(64):
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    writer.write(head)
                    await reader.readuntil(b"\r\n\r\n")
                    open_ends.append(writer)
                assert (await ask(port, head)).startswith(b"HTTP/1.1 503")
                for writer in open_ends:
                    writer.close()

    asyncio.run(main())


def test_large_bodies_pass_whole_both_ways_at_once() -> None:
    """Many times what a pipe holds, and a far side that reads slower than is sent."""
    payload = os.urandom(1 << 20) * 8

    async def main() -> None:
        async with echo_server() as target:
            proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
            async with proxied(proxy) as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                # what is sent before the answer is there is not lost
                writer.write(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\nearly".encode())
                await reader.readuntil(b"\r\n\r\n")
                sending = asyncio.ensure_future(_send(writer, payload))
                assert await reader.read(-1) == b"early" + payload
                await sending
                writer.close()
            (connection,) = proxy.connections
            assert (connection.sent, connection.received) == (5 + len(payload), 5 + len(payload))

    asyncio.run(main())


async def _send(writer: asyncio.StreamWriter, payload: bytes) -> None:
    with suppress(OSError):
        writer.write(payload)
        await writer.drain()
        writer.write_eof()


async def exchange(port: int, head: bytes, body: bytes) -> int:
    """Bytes that came back for a body."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head)
    await reader.readuntil(b"\r\n\r\n")
    sending = asyncio.ensure_future(_send(writer, body))
    count = 0
    with suppress(ConnectionResetError):
        while chunk := await reader.read(4096):
            count += len(chunk)
    await sending
    writer.close()
    return count


def test_no_more_bytes_than_allowed_move_over_all_connections() -> None:
    async def main() -> None:
        spent = asyncio.Event()
        async with echo_server() as target:
            proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
            proxy.allowance = tunnel.Allowance(100_000, spent.set)
            async with proxied(proxy) as port:
                head = f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode()
                assert await exchange(port, head, b"x" * 30_000) == 30_000  # and as much the other way
                assert not spent.is_set()
                assert await exchange(port, head, b"x" * 3_000_000) < 3_000_000
                assert spent.is_set()
        assert [one.reason for one in proxy.connections] == ["granted", "too-many-bytes"]

    asyncio.run(main())


def test_a_tunnel_that_nobody_uses_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "IDLE_SECONDS", 1.0)

    async def main() -> None:
        async with echo_server() as target:
            proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
            async with proxied(proxy) as port:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode())
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"ping")
                assert await reader.readexactly(4) == b"ping"
                async with asyncio.timeout(60):
                    assert await reader.read() == b""
                writer.close()
            assert (proxy.connections[0].sent, proxy.connections[0].received) == (4, 4)

    asyncio.run(main())


def test_a_half_closed_tunnel_is_closed_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tunnel, "HALF_CLOSED_SECONDS", 0.1)

    async def main() -> None:
        over = asyncio.Event()

        async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            await over.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        target = server.sockets[0].getsockname()[1]
        proxy = Proxy([Endpoint("127.0.0.1", target, private=True)])
        async with proxied(proxy) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            writer.write_eof()
            async with asyncio.timeout(60):
                assert await reader.read() == b""
            writer.close()
        over.set()
        server.close()

    asyncio.run(main())
