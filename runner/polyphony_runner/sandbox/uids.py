"""The pool of user ids of the privileged level: each concurrent sandbox of the machine has its own.

The kernel counts processes per user id host-wide, so two sandboxes with one id would starve, see and signal each
other. An id is taken by an exclusive ``flock`` on ``/run/polyphony/uids/N``, shared by all runners of the machine
and given back by the kernel when a runner dies.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import pwd
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from polyphony_runner.sandbox.errors import UIDS_EXHAUSTED, UIDS_INVALID, SandboxUnavailableError

FIRST, LAST = 60600, 61099
LOCKS = Path("/run/polyphony/uids")
WAIT_SECONDS = 60.0
POLL_SECONDS = 0.02


def _has_account(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def try_take(uid: int, locks: Path = LOCKS) -> int | None:
    """The descriptor that holds the id until it is closed, or None when it is taken."""
    fd = os.open(locks / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


@asynccontextmanager
async def lease(first: int = FIRST, last: int = LAST, locks: Path = LOCKS) -> AsyncIterator[int]:
    """Hold one free id. Waits when all are taken; after a minute: PLY3002. An id with an account: PLY3011."""
    try:
        locks.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SandboxUnavailableError(
            UIDS_INVALID,
            f"the locks of the sandbox's user ids cannot be kept in {str(locks)!r}: {error.strerror}",
            hint=f"make {locks.parents[1]} writable for root",
        ) from error
    uid, fd = await _take(first, last, locks)
    try:
        yield uid
    finally:
        os.close(fd)


async def _take(first: int, last: int, locks: Path) -> tuple[int, int]:
    count = last - first + 1
    deadline = asyncio.get_running_loop().time() + WAIT_SECONDS
    while True:
        start = random.randrange(count)  # noqa: S311  # spreads the tries, nothing is secret
        for step in range(count):
            uid = first + (start + step) % count
            fd = try_take(uid, locks)
            if fd is None:
                continue
            if _has_account(uid):
                os.close(fd)
                raise SandboxUnavailableError(
                    UIDS_INVALID,
                    f"user id {uid} of the sandbox pool {first}-{last} belongs to an account",
                    hint="set sandbox.uids to a range without accounts",
                )
            return uid, fd
        if asyncio.get_running_loop().time() > deadline:
            raise SandboxUnavailableError(
                UIDS_EXHAUSTED,
                f"all {count} user ids of the sandbox pool {first}-{last} are in use",
                hint="run fewer nodes at a time, or widen sandbox.uids",
            )
        await asyncio.sleep(POLL_SECONDS)
