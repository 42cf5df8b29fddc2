"""What must be true of the host's files before a sandbox starts, and put back when its tree is dead.

Level ``full``: only private copies. Level ``full-privileged``: the sandbox runs as a user id of the pool, so the
work folder is handed to that id and back, trees it could not read are shown as private copies, and a direct grant
is handed over for the time of the run. Level ``landlock`` under root does the same, but reads what is shown whoever
owns it; it also needs its view of the host's files.
"""

from __future__ import annotations

import asyncio
import errno
import os
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from polyphony_runner.sandbox import tree, uids
from polyphony_runner.sandbox.argv import INNER_UID
from polyphony_runner.sandbox.aside import aside
from polyphony_runner.sandbox.direct import handed_over
from polyphony_runner.sandbox.errors import MOUNT_REFUSED, MountRefusedError
from polyphony_runner.sandbox.host_places import HostPlaces
from polyphony_runner.sandbox.openat2 import open_resolved
from polyphony_runner.sandbox.spec import Level, Mount, SandboxSpec

LANDLOCK_NOTE = (
    "isolated by Landlock alone: names, sizes and times of the host's files can be seen, their content cannot"
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """The uid the program will have inside, the mounts as they will be, and remarks for the journal."""

    uid: int
    mounts: tuple[Mount, ...]
    notes: tuple[str, ...]


@asynccontextmanager
async def prepared(
    spec: SandboxSpec, level: Level, state: Path | None, *, own_work: bool = True
) -> AsyncIterator[Prepared]:
    """Hold everything one execution needs of the host; leave nothing behind.

    ``own_work`` hands the work folder to the sandbox's user; not so for the pool folder of a warm worker.
    """
    async with AsyncExitStack() as stack:
        privileged = level == "full-privileged" or (level == "landlock" and os.geteuid() == 0)
        uid = await stack.enter_async_context(uids.lease()) if privileged else _own_uid(level)
        reader = uid if level == "full-privileged" else None
        mounts: list[Mount] = []
        notes: list[str] = []
        scratch = _Scratch(spec.work.parent)
        stack.push_async_callback(scratch.remove)
        for mount in spec.mounts:
            own = spec.work.parent in mount.source.parents  # the runner's, as private as the work folder
            fd = stack.enter_context(_opened(mount, resolve=own or mount.shared))
            shown = await _shown(mount, fd, scratch, owner=uid if privileged else None, reader=reader)
            if mount.mode == "ro" and shown.fd is None:
                notes.append(
                    f"{mount.inside}: a private copy, because the sandbox's user may not read the original"
                )
            if privileged and mount.mode == "rw" and not own:
                await stack.enter_async_context(handed_over(mount.source, fd, uid, state))
            # What lies in the work folder is given and taken back with it: by then the program may have replaced it.
            elif privileged and mount.mode == "rw" and not (own_work and spec.work in mount.source.parents):
                await asyncio.to_thread(_give, mount.source, uid)
                stack.push_async_callback(asyncio.to_thread, _take_back, mount.source, uid)
            mounts.append(shown)
        if privileged and own_work:
            await aside((spec.work,), _give, spec.work, uid)
            stack.push_async_callback(aside, (spec.work,), _take_back, spec.work, uid)
        if level == "landlock":
            notes.append(LANDLOCK_NOTE)
            shown_at = {mount.inside: mount.source.resolve() for mount in mounts}
            stack.enter_context(HostPlaces.of(spec).made(spec, shown_at, uid if privileged else None))
        yield Prepared(uid, tuple(mounts), tuple(notes))


def _own_uid(level: Level) -> int:
    return INNER_UID if level == "full" else os.geteuid()


def _is_folder(path: Path) -> bool:
    return stat.S_ISDIR(path.lstat().st_mode)


def _give(work: Path, uid: int) -> None:
    if _is_folder(work):
        tree.chown_tree(work, uid, uid)
    else:
        os.chown(work, uid, uid, follow_symlinks=False)


def _take_back(work: Path, uid: int) -> None:
    if _is_folder(work):
        tree.chown_tree(work, os.geteuid(), os.getegid(), only_from=uid)
    else:
        os.chown(work, os.geteuid(), os.getegid(), follow_symlinks=False)


class _Scratch:
    """A private folder for copies, made on first use beside the work folder."""

    def __init__(self, parent: Path) -> None:
        self._parent = parent
        self._path: Path | None = None
        self._count = 0

    def next(self) -> Path:
        if self._path is None:
            self._path = Path(tempfile.mkdtemp(prefix=".copies-", dir=self._parent))
        self._count += 1
        return self._path / str(self._count)

    async def remove(self) -> None:
        if self._path is not None:
            await asyncio.to_thread(tree.remove_tree, self._path)


@contextmanager
def _opened(mount: Mount, *, resolve: bool) -> Iterator[int]:
    """What the mount names, held open: that is looked at, copied, handed over and mounted, wherever its path leads later.

    A node that writes to a folder above a granted path may exchange it for a link at any moment: a path that is one
    now is refused, unless ``resolve`` says that nobody but the runner and the person could have made it so.
    """
    if mount.fd is not None:
        yield mount.fd
        return
    try:
        fd = open_resolved(mount.source.resolve() if resolve else mount.source)
    except OSError as error:
        raise _refused(mount, _REASONS.get(error.errno or 0, str(error.strerror))) from error
    try:
        mode = os.fstat(fd).st_mode
        if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            raise _refused(mount, "is neither folder nor regular file")
        yield fd
    finally:
        os.close(fd)


_REASONS = {errno.ENOENT: "does not exist", errno.ELOOP: "leads through a link"}


def _refused(mount: Mount, reason: str) -> MountRefusedError:
    return MountRefusedError(
        MOUNT_REFUSED,
        f"{str(mount.source)!r} {reason}, expected a file or folder to show at {mount.inside!r}",
        hint="check the path that is granted",
    )


async def _shown(mount: Mount, fd: int, scratch: _Scratch, *, owner: int | None, reader: int | None) -> Mount:
    """The mount as it will be: what is open, or a private copy of it.

    ``owner`` gets the copies; what ``reader`` cannot read is copied (None: everything shown can be read).
    """
    copy = mount.mode == "copy"
    if mount.mode == "ro" and reader is not None:
        copy = not await _readable(mount, fd, reader)
    if not copy:
        return replace(mount, fd=fd)
    target = scratch.next()
    await asyncio.to_thread(tree.copy_any, fd, target, uid=owner)
    return replace(mount, source=target, mode="rw" if mount.mode == "copy" else "ro", fd=None)


async def _readable(mount: Mount, fd: int, uid: int) -> bool:
    if mount.shared:
        mode = os.fstat(fd).st_mode
        needed = 0o5 if stat.S_ISDIR(mode) else 0o4
        return mode & needed == needed
    return await asyncio.to_thread(tree.readable_by, fd, uid)
