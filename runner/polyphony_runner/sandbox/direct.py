"""Direct write grants under the privileged level: the tree belongs to the sandbox's user while it runs.

One writer at a time (a lock file, across processes). The intent is written down before the first change, so that
a runner that was killed in between is repaired by the next one (``repair``).
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from polyphony_runner.sandbox import tree
from polyphony_runner.sandbox.errors import MOUNT_REFUSED, MountRefusedError
from polyphony_runner.sandbox.openat2 import open_resolved

DEFAULT_STATE = Path("/run/polyphony")
POLL_SECONDS = 0.05


def _intents(state: Path | None) -> Path:
    folder = (state or DEFAULT_STATE) / "handed-over"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


async def _locked(path: Path) -> int:
    """The intent file, exclusively locked and still the one at its path; waits for another writer."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if path.stat().st_ino == os.fstat(fd).st_ino:
                    return fd
        except BlockingIOError:
            pass
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        await asyncio.sleep(POLL_SECONDS)


@asynccontextmanager
async def handed_over(source: Path, tree_fd: int, uid: int, state: Path | None) -> AsyncIterator[None]:
    """Give the open tree ``tree_fd``, whose path is ``source``, to ``uid`` and take it back.

    PLY3003 when entries belong to somebody else than the caller.
    """
    name = hashlib.sha256(os.fsencode(source)).hexdigest()[:32] + ".json"
    intent = _intents(state) / name
    fd = await _locked(intent)
    try:
        await asyncio.to_thread(_take_back_if_left, fd)
        if await asyncio.to_thread(_writable_by_all, tree_fd):
            yield
            return
        await asyncio.to_thread(_refuse_foreign, source, tree_fd)
        document = {"path": str(source), "uid": uid, "back": [os.geteuid(), os.getegid()]}
        os.pwrite(fd, json.dumps(document).encode(), 0)
        os.fsync(fd)
        try:
            await asyncio.to_thread(_give, tree_fd, uid, uid, os.geteuid())
            yield
        finally:
            await asyncio.to_thread(_give, tree_fd, os.geteuid(), os.getegid(), uid)
    finally:
        intent.unlink(missing_ok=True)
        os.close(fd)


def repair(state: Path | None) -> list[Path]:
    """Take back what a killed runner had handed over; returns the trees. Intents in use are left alone."""
    repaired = []
    for intent in sorted(_intents(state).glob("*.json")):
        fd = os.open(intent, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path := _take_back_if_left(fd):
                repaired.append(path)
            intent.unlink(missing_ok=True)
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
    return repaired


def _take_back_if_left(fd: int) -> Path | None:
    content = os.pread(fd, 1 << 16, 0)
    if not content:
        return None
    with suppress(ValueError, KeyError, FileNotFoundError):
        document = json.loads(content)
        path = Path(document["path"])
        back_uid, back_gid = document["back"]
        try:
            source = open_resolved(path)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                return None  # the tree is not there any more
            raise
        try:
            _give(source, int(back_uid), int(back_gid), int(document["uid"]))
        finally:
            os.close(source)
        os.ftruncate(fd, 0)
        return path
    return None


def _give(source: int, uid: int, gid: int, owner: int) -> None:
    status = os.fstat(source)
    if stat.S_ISDIR(status.st_mode):
        tree.chown_tree(source, uid, gid, only_from=owner)
    elif status.st_uid == owner:
        os.chown(f"/proc/self/fd/{source}", uid, gid)  # the open file itself, whatever its name is by now


def _writable_by_all(source: int) -> bool:
    """A tree any user may write needs no new owner (a shared scratch folder)."""
    status = os.fstat(source)
    if status.st_mode & 0o002 == 0:
        return False
    if not stat.S_ISDIR(status.st_mode):
        return True
    with tree.opened(source) as root:
        return all(
            visit.stat.st_mode & 0o002 or visit.stat.st_mode & 0o170000 == 0o120000
            for visit in tree.walk(root)
            if visit.step != "leave"
        )


def _refuse_foreign(source: Path, tree_fd: int) -> None:
    caller = os.geteuid()
    status = os.fstat(tree_fd)
    if status.st_uid == caller:
        if not stat.S_ISDIR(status.st_mode):
            return
        with tree.opened(tree_fd) as root:
            foreign = next(
                (v.name for v in tree.walk(root) if v.step != "leave" and v.stat.st_uid != caller), None
            )
        if foreign is None:
            return
    else:
        foreign = source.name
    raise MountRefusedError(
        MOUNT_REFUSED,
        f"{str(source)!r} cannot be written directly: {foreign!r} in it belongs to another user",
        hint="use the default mode copy for this write grant, or change the owner",
    )
