"""One call to a warm worker: its own pipes, its own work folder, its own bounds and verdict."""

from __future__ import annotations

import asyncio
import math
import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from select import PIPE_BUF

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.attending import Attended, ask_to_end, stop
from polyphony_runner.sandbox.judge import SIGNAL_BASE, Facts, judge
from polyphony_runner.sandbox.spec import Connection, Exit, Limits
from polyphony_runner.sandbox.stdio import write_all
from polyphony_runner.sandbox.warm.worker import Worker
from polyphony_runner.sandbox.watch import INTERVAL, Disk


@dataclass(frozen=True, slots=True)
class Request:
    """What a call brings: its bytes for standard input, its work folder (moved into the worker and back), bounds."""

    stdin: bytes
    work: Path
    limits: Limits
    cancel_message: bytes = b""
    grace: float = 2.0


@dataclass(slots=True)
class Call(Attended):
    """The owner of one call. ``worker.retired`` is set when the worker must not be used again."""

    worker: Worker
    request: Request
    stdin: int = field(default=-1, init=False)

    async def run(self) -> Exit:
        """Move the folder in, call, move it out; the verdict."""
        worker = self.worker
        worker.calls += 1
        inside = worker.pool / f"call-{worker.calls}"
        self._move_in(inside)
        self.disk = Disk.at((worker.pool,), self.request.limits, worker.process.pid)
        pipes = [os.pipe2(os.O_CLOEXEC) for _ in range(3)]
        (in_r, self.stdin), (out_r, out_w), (err_r, err_w) = pipes
        for fd in (self.stdin, out_r, err_r):
            os.set_blocking(fd, False)
        try:
            try:
                cpu = self.request.limits.cpu
                order: dict[str, object] = {
                    "cpu": max(1, math.ceil(cpu)) if cpu is not None else None,
                    "work": f"/ws/{inside.name}",
                }
                with suppress(BrokenPipeError, ConnectionResetError):
                    worker.send(order, (in_r, out_w, err_w))
            finally:
                for fd in (in_r, out_w, err_w):
                    os.close(fd)
            answer, stdout = await self._attend(out_r, err_r)
        finally:
            for fd in (out_r, err_r, *((self.stdin,) if self.stdin >= 0 else ())):
                os.close(fd)
            connections = await self._connections()
            await self._end_unless_untouched(inside)
            if self.disk is not None and (verdict := self.disk.verdict()):
                self.ending.because(verdict)
            self._move_out(inside)
        worker.retired = worker.worn(answer)
        return self._judge(answer, stdout, connections)

    async def _end_unless_untouched(self, inside: Path) -> None:
        """End the worker before anything that a call left is read: its extension may have kept a process alive."""
        try:
            untouched = stat.S_ISDIR(inside.lstat().st_mode) and not os.listdir(inside)  # noqa: PTH208  # fast
        except OSError:
            untouched = False
        if not untouched:
            self.worker.retired = self.worker.retired or "a call left files in its folder"
            await self.worker.process.end()

    def _move_in(self, inside: Path) -> None:
        self.request.work.rename(inside)
        if self.worker.level == "full-privileged":
            tree.chown_tree(inside, self.worker.uid, self.worker.uid)

    def _move_out(self, inside: Path) -> None:
        inside.rename(self.request.work)
        if self.worker.level == "full-privileged":
            tree.chown_tree(self.request.work, os.geteuid(), os.getegid(), only_from=self.worker.uid)

    async def _connections(self) -> tuple[Connection, ...]:
        if self.worker.proxy is None:
            return ()
        await self.worker.proxy.close_connections()
        return self.worker.proxy.take_connections()

    async def _attend(self, out: int, err: int) -> tuple[dict[str, object], bytes]:
        if self.worker.proxy is not None:
            self.worker.proxy.on_connection = self.streams.on_connection
            self.worker.proxy.allowance = self.network_allowance(self.request.limits)
        pumps = self.pump(out, err, self.request.limits)
        side: list[asyncio.Future[None]] = []
        if not self._feed_at_once():
            side.append(asyncio.ensure_future(self._feed()))
        # Most calls end before anybody would look at their folders.
        later = asyncio.get_running_loop().call_later(INTERVAL, self._watch, side)
        try:
            answer = await self._until_answered()
            return answer, await pumps.drained()
        finally:
            later.cancel()
            await pumps.stop()
            await stop(*side)

    def _watch(self, side: list[asyncio.Future[None]]) -> None:
        side.append(asyncio.ensure_future(self.ending.watch(self.disk, pause=0)))

    async def _until_answered(self) -> dict[str, object]:
        """The server's answer; empty when the worker had to be ended or ended itself."""
        answer = asyncio.ensure_future(self.worker.receive())
        try:
            if reason := await self.reason_before(answer, self.request.limits.wall):
                self.worker.retired = f"a call was ended ({reason.kind})"
                message, grace = self.request.cancel_message, self.request.grace
                await ask_to_end(reason, self.stdin, message, answer, grace=grace)
            if answer.done() and answer.result():
                return answer.result()
            await self.worker.process.end()
            return {}
        finally:
            await stop(answer)

    def _feed_at_once(self) -> bool:
        """Write a request that fits into the pipe, as most do."""
        if len(self.request.stdin) > PIPE_BUF:
            return False
        with suppress(BrokenPipeError):  # the worker is gone, which its answer will tell
            os.write(self.stdin, self.request.stdin)  # this much goes into an empty pipe whole
        self._fed()
        return True

    async def _feed(self) -> None:
        await write_all(self.stdin, self.request.stdin)
        self._fed()

    def _fed(self) -> None:
        if not self.request.cancel_message:
            fd, self.stdin = self.stdin, -1
            os.close(fd)

    def _judge(self, answer: dict[str, object], stdout: bytes, connections: tuple[Connection, ...]) -> Exit:
        bounds = self.request.limits
        code = answer.get("rc")
        status = None if not isinstance(code, int) else code if code >= 0 else SIGNAL_BASE - code
        cpu = answer.get("cpu")
        facts = Facts(
            status=SIGNAL_BASE + 9 if status is None else status,  # the server itself was ended from inside
            stderr=self.edges.text(),
            cpu_seconds=float(cpu) if isinstance(cpu, float) else 0.0,
            limits=bounds,
            level=self.worker.level,
            program=self.worker.warm.main,
            by_runner=self.ending.verdict,
            oom_kills=self.worker.group.oom_kills(),
        )
        verdict = judge(facts)
        most = answer.get("maxrss")
        return Exit(
            kind=verdict.kind,
            status=status,
            message=verdict.message,
            stderr=facts.stderr,
            seconds=time.monotonic() - self.started,
            connections=connections,
            max_rss=most if isinstance(most, int) else 0,
            stdout=stdout,
            cpu_seconds=facts.cpu_seconds,
        )
