"""One writer at a time for direct write grants on overlapping paths, first come first served.

Inside a process the order is that of arrival. Between processes, lock files stand for paths: the path itself is
locked exclusively and each folder above it shared, so two grants exclude each other exactly when one lies in the
other. Locks are taken from the root downwards, which leaves no room for a deadlock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from polyphony_runner.files import private_folder

_POLL_SECONDS = 0.05


class Writers:
    """Who writes where. ``folder`` holds the lock files that other processes see."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._queue: list[tuple[tuple[Path, ...], asyncio.Event]] = []

    @contextlib.asynccontextmanager
    async def writing(self, paths: Sequence[Path]) -> AsyncIterator[None]:
        """Wait for everybody who came earlier and whose paths overlap, then hold ``paths``."""
        if not paths:
            yield
            return
        mine = (tuple(paths), asyncio.Event())
        earlier = [event for theirs, event in self._queue if _overlap(theirs, mine[0])]
        self._queue.append(mine)
        try:
            for event in earlier:
                await event.wait()
            with contextlib.ExitStack() as stack:
                for path, kind in _locks(paths):
                    stack.callback(os.close, await self._lock(path, kind))
                yield
        finally:
            self._queue.remove(mine)
            mine[1].set()

    async def _lock(self, path: Path, kind: int) -> int:
        name = hashlib.sha256(os.fsencode(path)).hexdigest()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(private_folder(self._folder) / name, flags, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
                    return descriptor
                except BlockingIOError:
                    await asyncio.sleep(_POLL_SECONDS)
        except BaseException:
            os.close(descriptor)
            raise


def _overlap(first: Sequence[Path], second: Sequence[Path]) -> bool:
    return any(one.is_relative_to(two) or two.is_relative_to(one) for one in first for two in second)


def _locks(paths: Sequence[Path]) -> list[tuple[Path, int]]:
    kinds: dict[Path, int] = {}
    for path in paths:
        for above in path.parents:
            kinds.setdefault(above, fcntl.LOCK_SH)
        kinds[path] = fcntl.LOCK_EX
    return sorted(kinds.items(), key=lambda item: item[0].parts)
