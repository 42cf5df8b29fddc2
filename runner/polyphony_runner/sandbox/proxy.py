"""The filtering proxy of one sandbox: it accepts on a listener inside and connects outside, to granted endpoints only.

``CONNECT host:port`` becomes a byte tunnel, TLS passes unopened. An absolute ``http://`` request is taken only where
a grant says ``http://``; it is rewritten to origin form and tunnelled to that one address. A refusal is 403 with a
body that names the grant to add. The name is resolved here, once, after the match, and the *checked address* is the
one that is connected.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from polyphony_runner.sandbox import proxy_http as http
from polyphony_runner.sandbox.endpoints import grant_text, literal, normal_host
from polyphony_runner.sandbox.reach import Address, ip_address, is_metadata, reachable
from polyphony_runner.sandbox.spec import Connection, Endpoint, OnConnection
from polyphony_runner.sandbox.tunnel import HALF_CLOSED_SECONDS, IDLE_SECONDS, Allowance, End, Tally, tunnel
from polyphony_runner.sandbox.upstream import Upstream, open_upstream

MAX_TUNNELS = 64
HEAD_SECONDS = 10.0
CONNECT_SECONDS = 10.0
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

__all__ = ["HALF_CLOSED_SECONDS", "IDLE_SECONDS", "Proxy", "Refused"]


class Refused(Exception):  # noqa: N818  # an answer, not an error
    """The proxy says no: status, reason for the journal, text for the program."""

    def __init__(self, status: str, reason: str, text: str, host: str = "", port: int = 0) -> None:
        super().__init__(text)
        self.status, self.reason, self.text, self.host, self.port = status, reason, text, host, port


async def resolve_outside(host: str, port: int) -> Sequence[str]:
    """The machine's own resolver."""
    answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


@dataclass(slots=True)
class Proxy:
    """One policy for one listener. ``connections`` grows as they end, ``allowance`` shrinks as bytes move."""

    endpoints: Sequence[Endpoint]
    host_proxy: str | None = None
    on_connection: OnConnection | None = None
    resolve: Resolve = resolve_outside
    allowance: Allowance = field(default_factory=Allowance)
    connections: list[Connection] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def serving(self, listener: socket.socket) -> AsyncIterator[None]:
        """Serve while the context lasts; at its end all tunnels and the listener (which pins the network) close."""
        server = await asyncio.start_server(self._accepted, sock=listener, limit=http.HEAD_BYTES)
        try:
            yield
        finally:
            server.close()
            await self.close_connections()

    async def close_connections(self) -> None:
        """End every open tunnel (the end of one warm call)."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def take_connections(self) -> tuple[Connection, ...]:
        """What has been recorded so far, once."""
        taken = tuple(self.connections)
        self.connections.clear()
        return taken

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if task := asyncio.current_task():
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        started = time.monotonic()
        tally = Tally(allowance=self.allowance)
        record = _Record()
        try:
            if len(self._tasks) > MAX_TUNNELS:
                raise Refused("503 Service Unavailable", "too-many", f"more than {MAX_TUNNELS} connections")
            await self._serve(reader, writer, tally, record)
        except Refused as refused:
            record.refuse(refused)
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(HEAD_SECONDS):
                    writer.write(http.refusal(refused.status, refused.text))
                    await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            record.reason = record.reason or "broken"
        except asyncio.CancelledError:
            record.reason = record.reason or "closed"
        finally:
            writer.close()
            self._record(record, tally, started)

    def _record(self, record: _Record, tally: Tally, started: float) -> None:
        if not record.host:
            return
        milliseconds = int((time.monotonic() - started) * 1000)
        connection = Connection(
            record.host,
            record.port,
            record.address,
            "allowed" if record.allowed else "refused",
            record.reason,
            tally.sent,
            tally.received,
            milliseconds,
            "upstream" if record.via_upstream else "direct",
        )
        self.connections.append(connection)
        if self.on_connection:
            self.on_connection(connection)

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tally: Tally, record: _Record
    ) -> None:
        async with asyncio.timeout(HEAD_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
        request = http.parse(head)
        if isinstance(request, str):
            raise Refused("405 Method Not Allowed", "method", request)
        record.host, record.port = request.host, request.port
        endpoint = self._granted(request)
        upstream = await self._connect(endpoint, request, record)
        try:
            if request.plain:
                upstream.writer.write(request.origin_head(upstream.absolute, upstream.credentials))
                tally.sent += len(head)
            else:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            record.allowed = True
            record.reason = "granted"
            await tunnel(End(reader, writer), End(upstream.reader, upstream.writer), tally)
            if tally.spent:
                record.reason = "too-many-bytes"
        finally:
            upstream.writer.close()

    def _granted(self, request: http.Request) -> Endpoint:
        for endpoint in self.endpoints:
            same = (endpoint.port, endpoint.plain) == (request.port, request.plain)
            if same and normal_host_of(endpoint) == request.host:
                return endpoint
        wanted = grant_text(request.host, request.port, plain=request.plain)
        raise Refused(
            "403 Forbidden",
            "not-granted",
            f'The sandbox refused the connection. To allow it, grant   network: ["{wanted}"]   to this node.',
        )

    async def _connect(self, endpoint: Endpoint, request: http.Request, record: _Record) -> Upstream:
        if self.host_proxy and not endpoint.private:
            record.via_upstream = True
            return await open_upstream(self.host_proxy, request, CONNECT_SECONDS)
        addresses = await self._addresses(endpoint)
        last: OSError | TimeoutError | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    reader, writer = await asyncio.open_connection(str(address), request.port)
            except (OSError, TimeoutError) as error:
                last = error
                continue
            record.address = str(address)
            if not _filter_off(endpoint) and _own_machine(writer):
                writer.close()
                raise Refused("403 Forbidden", "own-machine", "The granted name leads to this very machine.")
            return Upstream(reader, writer, absolute=False)
        raise Refused("502 Bad Gateway", "unreachable", f"{endpoint.host} could not be reached: {last}")

    async def _addresses(self, endpoint: Endpoint) -> list[Address]:
        if text := literal(endpoint.host):
            found = [text]
        else:
            try:
                found = list(await self.resolve(endpoint.host, endpoint.port))
            except OSError as error:
                raise Refused("502 Bad Gateway", "unresolved", f"{endpoint.host}: {error}") from error
        addresses = [ip_address(text.partition("%")[0]) for text in dict.fromkeys(found)]
        kept = [a for a in addresses if not is_metadata(a) and (_filter_off(endpoint) or reachable(a))]
        if not kept:
            raise Refused(
                "403 Forbidden",
                "resolves-private",
                f"{endpoint.host} leads to addresses of a private network only; a grant with private: true allows it.",
            )
        return kept


@dataclass(slots=True)
class _Record:
    host: str = ""
    port: int = 0
    address: str = ""
    allowed: bool = False
    reason: str = ""
    via_upstream: bool = False

    def refuse(self, refused: Refused) -> None:
        self.allowed = False
        self.reason = refused.reason


def normal_host_of(endpoint: Endpoint) -> str:
    """The grant's host in its one spelling."""
    return normal_host(f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host)


def _filter_off(endpoint: Endpoint) -> bool:
    return endpoint.private or endpoint.index


def _own_machine(writer: asyncio.StreamWriter) -> bool:
    local, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
    return bool(local and peer and local[0] == peer[0])
