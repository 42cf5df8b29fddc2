"""Pumps between pipes and the event loop: bounded, never blocking, both directions at once.

Descriptors are tried first and waited for only when they would block, which saves most trips to the selector.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from polyphony_runner.sandbox.spec import OnBytes, OnLine

CHUNK = 1 << 16
STDERR_EDGE = 64 << 10
YIELD_EVERY = 16


class OutputLimitError(Exception):
    """A stream passed its bound; the message names stream and bound."""


async def _ready(watch: Callable[..., None], unwatch: Callable[[int], bool], fd: int) -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def arrived() -> None:
        if not future.done():
            future.set_result(None)

    watch(fd, arrived)
    try:
        await future
    finally:
        unwatch(fd)


async def readable(fd: int) -> None:
    """Return when a read would not block."""
    loop = asyncio.get_running_loop()
    await _ready(loop.add_reader, loop.remove_reader, fd)


async def writable(fd: int) -> None:
    """Return when a write would not block."""
    loop = asyncio.get_running_loop()
    await _ready(loop.add_writer, loop.remove_writer, fd)


async def read_some(fd: int) -> bytes:
    """The next bytes of a non-blocking descriptor; empty at its end."""
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:
            await readable(fd)


async def write_all(fd: int, content: bytes) -> bool:
    """Write everything; False when the reader has gone."""
    view = memoryview(content)
    while view:
        try:
            view = view[os.write(fd, view[:CHUNK]) :]
        except BlockingIOError:
            await writable(fd)
        except (BrokenPipeError, ConnectionResetError):
            return False
    return True


@dataclass(slots=True)
class Edges:
    """The first and last 64 KiB of a stream."""

    head: bytearray = field(default_factory=bytearray)
    tail: bytearray = field(default_factory=bytearray)
    total: int = 0

    def feed(self, chunk: bytes) -> None:
        """Take bytes in."""
        self.total += len(chunk)
        room = STDERR_EDGE - len(self.head)
        self.head += chunk[:room]
        self.tail += chunk[room:] if room > 0 else chunk
        if len(self.tail) > 2 * STDERR_EDGE:
            del self.tail[:-STDERR_EDGE]

    def text(self) -> str:
        """As text, with a line that says what was left out."""
        tail = self.tail[-STDERR_EDGE:]
        left_out = self.total - len(self.head) - len(tail)
        middle = f"\n… {left_out} bytes left out …\n".encode() if left_out else b""
        return (bytes(self.head) + middle + bytes(tail)).decode("utf-8", "replace")


@dataclass(slots=True)
class Lines:
    """Cuts a stream into lines for a callback; the last one may lack its end."""

    on_line: OnLine
    bound: int
    partial: bytearray = field(default_factory=bytearray)

    async def feed(self, chunk: bytes) -> None:
        """Take bytes in; raises OutputLimitError for a line over the bound."""
        *whole, rest = chunk.split(b"\n")
        for piece in whole:
            self.partial += piece
            await self._emit()
        self.partial += rest
        self._check()

    async def close(self) -> None:
        """Hand out what is left."""
        if self.partial:
            await self._emit()

    def _check(self) -> None:
        if len(self.partial) > self.bound:
            raise OutputLimitError(f"a line of standard output is longer than {self.bound} bytes")

    async def _emit(self) -> None:
        self._check()
        line = bytes(self.partial)
        self.partial.clear()
        answer = self.on_line(line)
        if isinstance(answer, Awaitable):
            await answer


async def pump_stdout(
    fd: int, *, bound: int, line_bound: int, on_line: OnLine | None, on_bytes: OnBytes | None
) -> bytes:
    """Read to the end. Returns the bytes when nobody takes them on the way."""
    lines = Lines(on_line, line_bound) if on_line else None
    kept = bytearray()
    total = rounds = 0
    while chunk := await read_some(fd):
        total += len(chunk)
        rounds += 1
        if total > bound:
            raise OutputLimitError(f"standard output is longer than {bound} bytes")
        if lines:
            await lines.feed(chunk)
        elif on_bytes:
            on_bytes(chunk)
        else:
            kept += chunk
        if rounds % YIELD_EVERY == 0:
            await asyncio.sleep(0)
    if lines:
        await lines.close()
    return bytes(kept)


async def pump_stderr(fd: int, edges: Edges, on_bytes: OnBytes | None) -> None:
    """Read to the end, keeping both edges."""
    rounds = 0
    while chunk := await read_some(fd):
        edges.feed(chunk)
        rounds += 1
        if on_bytes:
            on_bytes(chunk)
        if rounds % YIELD_EVERY == 0:
            await asyncio.sleep(0)


def copy_stdin(source: int, target: int) -> None:
    """Copy a host descriptor (file, pipe, terminal) into a pipe from a thread of its own; takes over ``target``."""

    def copy() -> None:
        os.set_blocking(target, True)
        try:
            while chunk := os.read(source, CHUNK):
                os.write(target, chunk)
        except OSError:
            pass  # the program has closed its standard input
        finally:
            os.close(target)

    threading.Thread(target=copy, name="sandbox-stdin", daemon=True).start()
