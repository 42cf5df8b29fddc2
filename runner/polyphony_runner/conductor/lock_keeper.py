"""The locks that this process holds for a run against other runs: the shell's side of ``mutex`` with scope ``melody``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Protocol


class SharedLocks(Protocol):
    """Locks among all runs on one journal store.

    Contract: at most one holder of a name at any time, also over processes; who asked first gets it first, as far as
    clocks agree; a holder that dies loses it.
    """

    async def acquire(self, name: str, owner: str = "") -> Callable[[], None]:
        """Wait for the lock and give what releases it. When cancelled it is not held, and nobody waits for it."""
        ...

    def owners(self, name: str) -> list[str]:
        """Who holds the lock or waits for it at this moment."""
        ...


class MemoryLocks:
    """Shared locks within this process alone: for tests, and where there is one process."""

    def __init__(self) -> None:
        self._locks: dict[str, asyncio.Lock] = {}
        self._owners: dict[str, list[str]] = {}

    async def acquire(self, name: str, owner: str = "") -> Callable[[], None]:
        """Wait for the lock."""
        lock = self._locks.setdefault(name, asyncio.Lock())
        owners = self._owners.setdefault(name, [])
        owners.append(owner)
        try:
            await lock.acquire()
        except BaseException:
            owners.remove(owner)
            raise

        def release() -> None:
            owners.remove(owner)
            lock.release()

        return release

    def owners(self, name: str) -> list[str]:
        """Who holds the lock or waits for it."""
        return list(self._owners.get(name, ()))


class LockKeeper:
    """Follows the state's ``shared`` locks: acquires what is needed, releases what no longer is.

    ``held`` maps a lock to the path of the node for which it was acquired: another node of the same run gets in line
    behind other runs.
    """

    def __init__(self, locks: SharedLocks, owner: str = "") -> None:
        self.held: dict[str, str] = {}
        self._owner = owner
        self._locks = locks
        self._releases: dict[str, Callable[[], None]] = {}
        self._waits: dict[str, tuple[str, asyncio.Task[None]]] = {}

    def tend(self, shared: Mapping[str, str], changed: Callable[[], None]) -> None:
        """Make it so; ``changed`` is called when a lock was got."""
        for name in [name for name, path in self.held.items() if shared.get(name) != path]:
            self._release(name)
        for name in [name for name, (path, _) in self._waits.items() if shared.get(name) != path]:
            self._waits.pop(name)[1].cancel()
        for name, path in shared.items():
            if name not in self.held and name not in self._waits:
                task = asyncio.ensure_future(self._acquire(name, path, changed))
                self._waits[name] = (path, task)

    async def close(self) -> None:
        """Release everything and wait for nothing any more."""
        tasks = [task for _, task in self._waits.values()]
        self._waits.clear()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for name in list(self.held):
            self._release(name)

    async def _acquire(self, name: str, path: str, changed: Callable[[], None]) -> None:
        release = await self._locks.acquire(name, self._owner)
        if self._waits.get(name, ("", None))[1] is not asyncio.current_task():
            release()
            return
        self._waits.pop(name)
        self.held[name], self._releases[name] = path, release
        changed()

    def _release(self, name: str) -> None:
        del self.held[name]
        self._releases.pop(name)()
