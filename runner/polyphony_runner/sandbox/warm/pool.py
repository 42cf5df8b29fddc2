"""The warm workers of one runner: found by key, one call at a time each, retired before they can do harm."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.sandbox.attending import Streams
from polyphony_runner.sandbox.errors import WARM_BOOT, WarmBootError
from polyphony_runner.sandbox.preflight import current_level
from polyphony_runner.sandbox.run import finish
from polyphony_runner.sandbox.spec import Exit, Level
from polyphony_runner.sandbox.warm.call import Call, Request
from polyphony_runner.sandbox.warm.worker import WarmSpec, Worker

IDLE_SECONDS = 60.0
FAILED_BOOTS = 3
FAILED_WINDOW = 60.0
WORKER_MEMORY = 128 << 20  # what one is taken to need with its imports


def default_size() -> int:
    """Two workers a core, as long as they fit into a quarter of the memory."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return max(1, min(2 * (os.cpu_count() or 1), memory // 4 // WORKER_MEMORY))


@dataclass(slots=True)
class WarmPool:
    """Workers below ``folder`` (made 0700; on the file system of the calls' work folders). Bound to one event loop."""

    folder: Path
    level: Level | None = None
    state: Path | None = None
    size: int = field(default_factory=default_size)
    _idle: list[Worker] = field(default_factory=list)
    _busy: int = 0
    _free: asyncio.Condition = field(default_factory=asyncio.Condition)
    _failures: dict[str, deque[float]] = field(default_factory=dict)
    _sweeper: asyncio.Task[None] | None = None
    _closed: bool = False

    async def call(self, warm: WarmSpec, request: Request, streams: Streams | None = None) -> Exit:
        """Run one request in a worker of this key.

        Raises WarmBootError (PLY3008) when no worker comes up: then the node is run cold. Cancelling the calling
        task ends the worker's whole tree before CancelledError leaves.
        """
        cancel = asyncio.Event()
        return await finish(self._call(warm, request, streams or Streams(), cancel), cancel)

    async def _call(self, warm: WarmSpec, request: Request, streams: Streams, cancel: asyncio.Event) -> Exit:
        worker = await self._acquire(warm)
        try:
            return await Call(streams, cancel, worker, request).run()
        except BaseException:
            worker.retired = worker.retired or "a call failed"
            raise
        finally:
            await self._release(worker)

    async def _acquire(self, warm: WarmSpec) -> Worker:
        while True:
            async with self._free:
                await self._free.wait_for(lambda: self._busy < self.size)
                self._busy += 1
                worker = next((w for w in reversed(self._idle) if w.warm.key == warm.key), None)
                if worker:
                    self._idle.remove(worker)
                    return worker
                oldest = (
                    self._idle.pop(0) if self._idle and len(self._idle) + self._busy > self.size else None
                )
            try:
                if oldest:
                    await oldest.close()
                return await self._boot(warm)
            except BaseException:
                await self._give_back()
                raise

    async def _boot(self, warm: WarmSpec) -> Worker:
        failures = self._failures.setdefault(warm.key, deque(maxlen=FAILED_BOOTS))
        if len(failures) == FAILED_BOOTS and time.monotonic() - failures[0] < FAILED_WINDOW:
            raise WarmBootError(
                WARM_BOOT,
                f"the warm worker failed to start {FAILED_BOOTS} times within {FAILED_WINDOW:g} s",
                hint="the node is run cold",
            )
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        level = self.level if self.level is not None else await asyncio.to_thread(current_level, self.state)
        worker = Worker(warm, level, self.folder, self.state)
        try:
            await worker.boot()
        except WarmBootError:
            failures.append(time.monotonic())
            raise
        return worker

    async def _release(self, worker: Worker) -> None:
        if worker.retired or self._closed:
            await worker.close()
        else:
            worker.idle_since = time.monotonic()
            self._idle.append(worker)
            if self._sweeper is None or self._sweeper.done():
                self._sweeper = asyncio.create_task(self._sweep())
        await self._give_back()

    async def _give_back(self) -> None:
        async with self._free:
            self._busy -= 1
            self._free.notify()

    async def _sweep(self) -> None:
        """End workers that nobody has asked for in a minute; the task ends with the last of them."""
        while self._idle:
            wait = self._idle[0].idle_since + IDLE_SECONDS - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
                continue
            await self._idle.pop(0).close()

    async def close(self) -> None:
        """End every idle worker; those that are in a call end with it."""
        self._closed = True
        if self._sweeper:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
        while self._idle:
            await self._idle.pop().close()
