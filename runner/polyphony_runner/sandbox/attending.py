"""What attending to a running program has in common, cold or warm: its streams, and why it was ended early."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from polyphony_runner.sandbox.judge import Verdict
from polyphony_runner.sandbox.spec import Limits, OnBytes, OnConnection, OnLine
from polyphony_runner.sandbox.stdio import Edges, OutputLimitError, pump_stderr, pump_stdout, write_all
from polyphony_runner.sandbox.tunnel import Allowance
from polyphony_runner.sandbox.watch import INTERVAL, Disk, watch_disk

DRAIN_SECONDS = 60.0


class Replies:
    """What is written to a program in answer to what it says: in order, then the end of file."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[bytes | None] = asyncio.Queue()

    def say(self, data: bytes) -> None:
        """Write this next; after the end nothing more is."""
        self._waiting.put_nowait(data)

    def end(self) -> None:
        """There is nothing more to say: the program has its specification's ``grace`` to end by itself."""
        self._waiting.put_nowait(None)

    async def until_end(self) -> AsyncIterator[bytes]:
        """Everything that was said before the end."""
        while (data := await self._waiting.get()) is not None:
            yield data


@dataclass(frozen=True, slots=True)
class Streams:
    """Who takes what on the way. ``stdin``: a host descriptor to copy from, in place of the specification's bytes.

    With ``replies`` the program is in a conversation: they follow the specification's bytes.
    """

    on_line: OnLine | None = None
    on_stdout: OnBytes | None = None
    on_stderr: OnBytes | None = None
    on_connection: OnConnection | None = None
    stdin: int | None = None
    replies: Replies | None = None


def _future() -> asyncio.Future[Verdict]:
    return asyncio.get_running_loop().create_future()


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the runner ends a program before it ends by itself. The first reason counts."""

    future: asyncio.Future[Verdict] = field(default_factory=_future)

    @property
    def verdict(self) -> Verdict | None:
        """The reason, if there is one."""
        return self.future.result() if self.future.done() else None

    def because(self, verdict: Verdict) -> None:
        """Give a reason."""
        if not self.future.done():
            self.future.set_result(verdict)

    def because_early(self, cancelled: bool, wall: float) -> Verdict:
        """The reason of an end before the program's own: the one there is, a cancelled run, else the wall time."""
        if cancelled:
            self.because(Verdict("cancelled", "the run was cancelled"))
        self.because(Verdict("timeout", f"the program ran longer than {wall:g} s"))
        return self.future.result()

    def pump_done(self, pump: asyncio.Future[Any]) -> None:
        """Callback of a pump: what it raises ends the program."""
        if not pump.cancelled() and (error := pump.exception()):
            self.because(Verdict("output" if isinstance(error, OutputLimitError) else "internal", str(error)))

    async def watch(self, disk: Disk | None, *, pause: float = INTERVAL) -> None:
        """End the program when its folders grow too much; the first look is after ``pause`` seconds."""
        if disk is not None:
            self.because(await watch_disk(disk, pause))


@dataclass(frozen=True, slots=True)
class Pumps:
    """The two output streams of one program."""

    stdout: asyncio.Future[bytes]
    stderr: asyncio.Future[None]

    @classmethod
    def start(
        cls, out: int, err: int, *, bounds: Limits, streams: Streams, edges: Edges, ending: Ending
    ) -> Pumps:
        """Begin to read both; what goes wrong becomes the reason to end."""
        stdout = asyncio.ensure_future(
            pump_stdout(
                out,
                bound=bounds.stdout,
                line_bound=bounds.line,
                on_line=streams.on_line,
                on_bytes=streams.on_stdout,
            )
        )
        stderr = asyncio.ensure_future(pump_stderr(err, edges, streams.on_stderr))
        for pump in (stdout, stderr):
            pump.add_done_callback(ending.pump_done)
        return cls(stdout, stderr)

    async def drained(self) -> bytes:
        """The output that nobody took, when the program is dead: what is still to read fits into a pipe.

        Raises what a callback of the caller raised; TimeoutError when one does not return.
        """
        await asyncio.wait((self.stdout, self.stderr), timeout=DRAIN_SECONDS)
        if not (self.stdout.done() and self.stderr.done()):
            raise TimeoutError("whoever takes the program's output does not keep up")
        with suppress(OutputLimitError):
            self.stderr.result()
            return self.stdout.result()
        return b""

    async def stop(self) -> None:
        """Read no more."""
        await stop(self.stdout, self.stderr)


@dataclass(slots=True)
class Attended:
    """A program under way and whoever waits for it: what an execution and a call to a worker share."""

    streams: Streams
    cancel: asyncio.Event
    disk: Disk | None = field(default=None, init=False)
    edges: Edges = field(default_factory=Edges, init=False)
    ending: Ending = field(default_factory=Ending, init=False)
    started: float = field(default_factory=time.monotonic, init=False)

    def pump(self, out: int, err: int, bounds: Limits) -> Pumps:
        """Begin to read its output."""
        return Pumps.start(
            out, err, bounds=bounds, streams=self.streams, edges=self.edges, ending=self.ending
        )

    def network_allowance(self, bounds: Limits) -> Allowance:
        """What the program's connections may move; more ends it."""
        said = f"the program moved more than {bounds.network} bytes over the network"
        return Allowance(bounds.network, lambda: self.ending.because(Verdict("network", said)))

    async def reason_before(self, end: asyncio.Future[Any], wall: float) -> Verdict | None:
        """Wait for the program's own end, None, or for a reason to bring it about: at the latest after ``wall`` seconds."""
        cancelled = asyncio.ensure_future(self.cancel.wait())
        try:
            await asyncio.wait(
                (end, cancelled, self.ending.future), timeout=wall, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            await stop(cancelled)
        return None if end.done() else self.ending.because_early(self.cancel.is_set(), wall)


async def ask_to_end(
    reason: Verdict,
    stdin: int,
    message: bytes,
    end: asyncio.Future[Any],
    *,
    grace: float,
    replies: Replies | None = None,
) -> None:
    """Tell a program that listens why it should end, and give it ``grace`` seconds; others get neither."""
    if not message or reason.kind not in ("cancelled", "timeout"):
        return
    if replies is not None:
        replies.say(message)
        replies.end()
        await asyncio.wait((end,), timeout=grace)
    elif stdin >= 0:
        writing = asyncio.ensure_future(write_all(stdin, message))
        await asyncio.wait((end,), timeout=grace)
        await stop(writing)


async def stop(*tasks: asyncio.Future[Any]) -> None:
    """Cancel and await tasks whose outcome does not matter any more."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
