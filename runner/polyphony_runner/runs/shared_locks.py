"""Locks among the runs of one home, over processes: ``locks/<digest of the name>/``.

```
lock             held by flock: what excludes        <time>-<random>   one ticket for each who waits, held by flock
```

Who has the oldest ticket takes the lock; a ticket whose owner died is not held any more, and is removed by whoever sees
it. Both locks end with their process, whatever ends that.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from polyphony_runner.files import private_folder

_PAUSE_SECONDS = 0.03


class FileLocks:
    """Shared locks in a folder of the home."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def acquire(self, name: str, owner: str = "") -> Callable[[], None]:
        """Wait for the lock, first come first served."""
        folder = private_folder(self._place(name))
        ticket, held = _ticket(folder, owner)
        try:
            while True:
                if _is_first(folder, ticket) and (lock := try_lock(folder / "lock")) is not None:
                    os.ftruncate(lock, 0)
                    os.write(lock, owner.encode())
                    return lambda: os.close(lock)
                await asyncio.sleep(_PAUSE_SECONDS)
        finally:
            ticket.unlink(missing_ok=True)
            os.close(held)

    def owners(self, name: str) -> list[str]:
        """Who holds the lock or waits for it at this moment."""
        folder = self._place(name)
        found: list[str] = []
        for path in (folder / "lock", *sorted(folder.glob("[0-9]*-*"))):
            free = try_lock(path, create=False)
            if free is not None:
                os.close(free)
            elif path.exists():
                found.append(path.read_text())
        return found

    def _place(self, name: str) -> Path:
        return self._folder / hashlib.sha256(name.encode()).hexdigest()[:32]


def _ticket(folder: Path, owner: str) -> tuple[Path, int]:
    """A place in the line: a file that is held before it has its name."""
    path = folder / f"{time.time_ns():020d}-{secrets.token_hex(8)}"
    new = path.with_name(f".{path.name}")
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, owner.encode())
    new.rename(path)
    return path, descriptor


def _is_first(folder: Path, ticket: Path) -> bool:
    """Whether nobody alive has an older ticket."""
    for path in sorted(folder.glob("[0-9]*-*")):
        if path == ticket:
            return True
        owner = try_lock(path, create=False)
        if owner is None:
            return False
        path.unlink(missing_ok=True)
        os.close(owner)
    return False


def try_lock(path: Path, *, create: bool = True) -> int | None:
    """The descriptor of a file that is now held here; None when another one holds it, or it went away."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor
