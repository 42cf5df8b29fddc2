"""A byte tunnel between two streams: back-pressure, an idle bound, a shorter one after a half-close."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

IDLE_SECONDS = 300.0
HALF_CLOSED_SECONDS = 30.0
CHUNK = 64 << 10


@dataclass(slots=True)
class Tally:
    """Bytes that left the sandbox and came back; ``moved`` is told of each step."""

    sent: int = 0
    received: int = 0
    moved: asyncio.Event = field(default_factory=asyncio.Event)


async def _pour(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, tally: Tally, outwards: bool
) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(CHUNK):
            target.write(chunk)
            await target.drain()
            if outwards:
                tally.sent += len(chunk)
            else:
                tally.received += len(chunk)
            tally.moved.set()
        if target.can_write_eof():
            target.write_eof()
    tally.moved.set()


async def tunnel(
    inner_reader: asyncio.StreamReader,
    inner_writer: asyncio.StreamWriter,
    outer_reader: asyncio.StreamReader,
    outer_writer: asyncio.StreamWriter,
    tally: Tally,
) -> None:
    """Pour both ways until both ends are closed or nothing moves for too long."""
    out = asyncio.ensure_future(_pour(inner_reader, outer_writer, tally, True))
    back = asyncio.ensure_future(_pour(outer_reader, inner_writer, tally, False))
    try:
        while not (out.done() and back.done()):
            tally.moved.clear()
            patience = HALF_CLOSED_SECONDS if out.done() or back.done() else IDLE_SECONDS
            try:
                async with asyncio.timeout(patience):
                    await tally.moved.wait()
            except TimeoutError:
                return
    finally:
        out.cancel()
        back.cancel()
        await asyncio.gather(out, back, return_exceptions=True)
