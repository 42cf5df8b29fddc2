"""What must be true of the host's files before a sandbox starts, and put back when its tree is dead.

Level ``full``: only private copies. Level ``full-privileged``: the sandbox runs as a user id of the pool, so the
work folder is handed to that id and back, trees it could not read are shown as private copies, and a direct grant
is handed over for the time of the run.
"""

from __future__ import annotations

import asyncio
import os
import stat
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from polyphony_runner.sandbox import tree, uids
from polyphony_runner.sandbox.argv import INNER_UID
from polyphony_runner.sandbox.direct import handed_over
from polyphony_runner.sandbox.errors import MOUNT_REFUSED, MountRefusedError
from polyphony_runner.sandbox.spec import Level, Mount, SandboxSpec


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
        privileged = level == "full-privileged"
        uid = await stack.enter_async_context(uids.lease()) if privileged else INNER_UID
        mounts: list[Mount] = []
        notes: list[str] = []
        scratch = _Scratch(spec.work.parent)
        stack.push_async_callback(scratch.remove)
        for mount in spec.mounts:
            shown = await _shown(mount, uid if privileged else None, scratch)
            if shown is not mount and mount.mode == "ro":
                notes.append(
                    f"{mount.inside}: a private copy, because the sandbox's user may not read the original"
                )
            # What lies in the work folder is given and taken back with it: by then the program may have replaced it.
            own = own_work and spec.work in mount.source.parents
            if privileged and mount.mode == "rw" and mount.fd is None and not own:
                if (
                    spec.work.parent in mount.source.parents
                ):  # the runner's own folder, as private as the work folder
                    await asyncio.to_thread(_give, mount.source, uid)
                    stack.push_async_callback(asyncio.to_thread, _take_back, mount.source, uid)
                else:
                    await stack.enter_async_context(handed_over(mount.source, uid, state))
            mounts.append(shown)
        if privileged and own_work:
            await asyncio.to_thread(_give, spec.work, uid)
            stack.push_async_callback(asyncio.to_thread, _take_back, spec.work, uid)
        yield Prepared(uid, tuple(mounts), tuple(notes))


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


async def _shown(mount: Mount, uid: int | None, scratch: _Scratch) -> Mount:
    """The mount as it will be: itself, or a private copy in its place."""
    if mount.fd is not None:
        return mount
    if not mount.source.exists():
        raise MountRefusedError(
            MOUNT_REFUSED,
            f"{str(mount.source)!r} does not exist, expected a file or folder to show at {mount.inside!r}",
            hint="check the path that is granted",
        )
    copy = mount.mode == "copy"
    if mount.mode == "ro" and uid is not None:
        copy = not await asyncio.to_thread(_readable, mount, uid)
    if not copy:
        return mount
    target = scratch.next()
    await asyncio.to_thread(tree.copy_any, mount.source, target, uid=uid)
    return replace(mount, source=target, mode="rw" if mount.mode == "copy" else "ro")


def _readable(mount: Mount, uid: int) -> bool:
    if mount.shared:
        mode = mount.source.stat().st_mode
        needed = 0o5 if stat.S_ISDIR(mode) else 0o4
        return mode & needed == needed
    return tree.readable_by(mount.source, uid)
