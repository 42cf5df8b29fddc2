"""A byte tunnel between two connections: back-pressure, an idle bound, a shorter one after a half-close.

Bytes go from socket to socket inside the kernel (``splice``); only where one side is TLS to a further proxy do they pass
through this process.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from polyphony_runner.sandbox.stdio import readable, writable

IDLE_SECONDS = 300.0
HALF_CLOSED_SECONDS = 30.0
CHUNK = 64 << 10
PIPE = 1 << 20  # as much as a user may have without privileges


@dataclass(slots=True)
class Allowance:
    """Bytes that all connections of one execution may still move, both ways; None for no bound.

    ``spent`` is called when there are none left.
    """

    left: int | None = None
    spent: Callable[[], None] = lambda: None

    def take(self, count: int) -> bool:
        """Count bytes that were moved; False when they were more than there were left."""
        if self.left is None:
            return True
        self.left -= count
        if self.left < 0:
            self.spent()
        return self.left >= 0


@dataclass(slots=True)
class Tally:
    """Bytes that left the sandbox and came back; ``moved`` is told of each step."""

    sent: int = 0
    received: int = 0
    allowance: Allowance = field(default_factory=Allowance)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def spent(self) -> bool:
        """Whether more was moved than is allowed."""
        return self.allowance.left is not None and self.allowance.left < 0

    def count(self, number: int, *, outwards: bool) -> bool:
        """Note that bytes moved; False when the tunnel must end."""
        if outwards:
            self.sent += number
        else:
            self.received += number
        self.moved.set()
        return self.allowance.take(number)


@dataclass(frozen=True, slots=True)
class End:
    """One end of a tunnel."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def encrypted(self) -> bool:
        """Whether its bytes are made in this process."""
        return self.writer.get_extra_info("sslcontext") is not None

    async def taken_over(self) -> tuple[socket.socket, bytes]:
        """Its bare socket, and what had arrived already; asyncio reads no more of it."""
        transport = self.writer.transport
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  # what a stream has
        transport.set_write_buffer_limits(0)
        await self.writer.drain()
        early = b""
        with contextlib.suppress(TimeoutError):
            while not self.reader.at_eof():
                transport.pause_reading()
                async with asyncio.timeout(0):  # what is here comes at once
                    early += await self.reader.read(CHUNK)
        inner = self.writer.get_extra_info("socket")
        bare = socket.socket(fileno=os.dup(inner.fileno()))
        bare.setblocking(False)
        return bare, early


async def _pour(source: End, target: End, tally: Tally, *, outwards: bool) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.reader.read(CHUNK):
            target.writer.write(chunk)
            await target.writer.drain()
            if not tally.count(len(chunk), outwards=outwards):
                return
        if target.writer.can_write_eof():
            target.writer.write_eof()


async def _splice(
    source: socket.socket, target: socket.socket, early: bytes, tally: Tally, *, outwards: bool
) -> None:
    out, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        with contextlib.suppress(OSError):
            with contextlib.suppress(PermissionError):  # the user has too much in pipes already
                fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, PIPE)
            if early:
                await asyncio.get_running_loop().sock_sendall(target, early)
                if not tally.count(len(early), outwards=outwards):
                    return
            while moved := await _moved(source.fileno(), into):
                pending = moved
                while pending:
                    pending -= await _moved(out, target.fileno(), pending)
                if not tally.count(moved, outwards=outwards):
                    return
                await asyncio.sleep(0)  # a fast pair must not keep the others waiting
            target.shutdown(socket.SHUT_WR)
    finally:
        os.close(out)
        os.close(into)


async def _moved(source: int, target: int, count: int | None = None) -> int:
    """Move some bytes between a socket and a pipe that takes whatever there is; 0 at the end of the file."""
    while True:
        try:
            return os.splice(source, target, count or PIPE, flags=os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE)
        except BlockingIOError:
            await (readable(source) if count is None else writable(target))


async def tunnel(inner: End, outer: End, tally: Tally) -> None:
    """Pour both ways until both ends are closed or nothing moves for too long."""
    with contextlib.ExitStack() as stack:
        if inner.encrypted or outer.encrypted:
            both = (
                _pour(inner, outer, tally, outwards=True),
                _pour(outer, inner, tally, outwards=False),
            )
        else:
            near, asked = await inner.taken_over()
            stack.callback(near.close)
            far, answered = await outer.taken_over()
            stack.callback(far.close)
            both = (
                _splice(near, far, asked, tally, outwards=True),
                _splice(far, near, answered, tally, outwards=False),
            )
        await _until_over([asyncio.ensure_future(one) for one in both], tally)


async def _until_over(both: list[asyncio.Future[None]], tally: Tally) -> None:
    for one in both:
        one.add_done_callback(lambda _: tally.moved.set())
    try:
        while not all(one.done() for one in both):
            tally.moved.clear()
            patience = HALF_CLOSED_SECONDS if any(one.done() for one in both) else IDLE_SECONDS
            try:
                async with asyncio.timeout(patience):
                    await tally.moved.wait()
            except TimeoutError:
                return
            if tally.spent:
                return
    finally:
        for one in both:
            one.cancel()
        await asyncio.gather(*both, return_exceptions=True)
