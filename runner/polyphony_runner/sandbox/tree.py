"""Walking trees that a hostile program made: by directory descriptor, one at a time, never through a link.

Depth is no recursion (a tree may be 5,000 deep), names are never joined to host paths, other file systems are not
entered. All operations on a work folder (measure, hand over, remove, copy) are this one walk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

OPEN_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FICLONE = 0x40049409
COPY_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Visit:
    """One step: a non-directory, or a directory before (``enter``) and after (``leave``) its entries.

    ``dir_fd`` is the directory that holds ``name``; it is valid only until the next step.
    """

    step: Literal["file", "enter", "leave"]
    dir_fd: int
    name: str
    stat: os.stat_result
    depth: int


@dataclass(slots=True)
class _Frame:
    name: str
    stat: os.stat_result
    pending: list[str]


def _names(fd: int) -> list[str]:
    return os.listdir(fd)  # by descriptor


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _unlock(name: str, dir_fd: int) -> None:
    """chmod 0700 without following a link (Linux has no such fchmodat for Python to call)."""
    fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=dir_fd)
    try:
        os.chmod(f"/proc/self/fd/{fd}", 0o700)  # noqa: PTH101  # by descriptor, not by path
    finally:
        os.close(fd)


def walk(root_fd: int, *, unlock: bool = False) -> Iterator[Visit]:
    """Every entry below the directory, children before ``leave``. ``unlock`` makes directories openable first.

    OSError when the tree changes under the walk in a way that could lead elsewhere, or enters another file system.
    """
    fd = os.dup(root_fd)
    root = os.fstat(fd)
    frames = [_Frame("", root, _names(fd))]
    try:
        while True:
            frame = frames[-1]
            if not frame.pending:
                frames.pop()
                if not frames:
                    return
                fd = _climb(fd, frames[-1].stat)
                yield Visit("leave", fd, frame.name, frame.stat, len(frames))
                continue
            name = frame.pending.pop()
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISDIR(status.st_mode):
                yield Visit("file", fd, name, status, len(frames))
                continue
            if status.st_dev != root.st_dev:
                raise OSError(errno.EXDEV, "another file system is mounted in the tree", name)
            yield Visit("enter", fd, name, status, len(frames))
            if unlock:
                _unlock(name, fd)
            child = os.open(name, OPEN_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = child
            frames.append(_Frame(name, status, _names(fd)))
    finally:
        os.close(fd)


def _climb(fd: int, expected: os.stat_result) -> int:
    """The parent's descriptor in place of the child's, if it is the one we came from."""
    parent = os.open("..", OPEN_DIRECTORY, dir_fd=fd)
    if _identity(os.fstat(parent)) != _identity(expected):
        os.close(parent)
        raise OSError(errno.ESTALE, "a directory was moved while it was read")
    os.close(fd)
    return parent


@contextlib.contextmanager
def opened(place: Path | int) -> Iterator[int]:
    """A directory's descriptor for reading, from an O_PATH one or a path; never through a link at its last component."""
    fd = (
        os.open(place, OPEN_DIRECTORY)
        if isinstance(place, Path)
        else os.open(".", OPEN_DIRECTORY, dir_fd=place)
    )
    try:
        yield fd
    finally:
        os.close(fd)


def remove_tree(path: Path) -> None:
    """Remove a directory whatever it holds: any depth, mode 000, links, FIFOs. Nothing there is fine."""
    try:
        path.lstat()
    except FileNotFoundError:
        return
    with contextlib.suppress(PermissionError):
        path.chmod(0o700)
    with opened(path) as root:
        for visit in walk(root, unlock=True):
            if visit.step == "file":
                os.unlink(visit.name, dir_fd=visit.dir_fd)
            elif visit.step == "leave":
                os.rmdir(visit.name, dir_fd=visit.dir_fd)
    path.rmdir()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a tree takes: bytes of blocks, and the number of entries. Not ``complete``: a part could not be read."""

    size: int
    entries: int
    complete: bool = True


def measure(path: Path, *, stop_size: int | None = None, stop_entries: int | None = None) -> Usage:
    """Sum the blocks of a tree that may be changing; stops early once a bound is passed.

    Hard links count once per name: a bound may be reached sooner, never later.
    """
    size = entries = 0
    complete = False
    with contextlib.suppress(OSError), opened(path) as root:
        for visit in walk(root):
            if visit.step == "leave":
                continue
            size += visit.stat.st_blocks * 512
            entries += 1
            if (stop_size is not None and size > stop_size) or (
                stop_entries is not None and entries > stop_entries
            ):
                break
        complete = True
    return Usage(size, entries, complete)


def chown_tree(place: Path | int, uid: int, gid: int, *, only_from: int | None = None) -> None:
    """Give a tree to a user; links themselves, never what they point to.

    ``only_from`` leaves entries of other owners alone; without it, files with further hard links are left alone:
    they may be a name of something outside. The kernel takes set-id bits off whatever changes its owner.
    """
    with opened(place) as root:
        for visit in walk(root):
            if visit.step == "leave" or (only_from is not None and visit.stat.st_uid != only_from):
                continue
            if visit.step == "file" and visit.stat.st_nlink > 1 and only_from is None:
                continue
            os.chown(visit.name, uid, gid, dir_fd=visit.dir_fd, follow_symlinks=False)
        if only_from is None or os.fstat(root).st_uid == only_from:
            os.fchown(root, uid, gid)


def copy_file(source_fd: int, target_fd: int) -> None:
    """The bytes of one open file into another: a reflink where the file system has them, else data without holes."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(target_fd, FICLONE, source_fd)
        return
    size = os.fstat(source_fd).st_size
    os.ftruncate(target_fd, size)
    end = 0
    while end < size:
        try:
            start = os.lseek(source_fd, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return  # only a hole is left
        end = os.lseek(source_fd, start, os.SEEK_HOLE)
        _copy_range(source_fd, target_fd, start, end)


def _copy_range(source_fd: int, target_fd: int, start: int, end: int) -> None:
    os.lseek(target_fd, start, os.SEEK_SET)
    while start < end:
        moved = os.sendfile(target_fd, source_fd, start, min(COPY_CHUNK, end - start))
        if moved == 0:
            return
        start += moved


def copy_tree(source: Path | int, target: Path, *, uid: int | None = None) -> None:
    """A private copy for ``uid``: regular files, directories and links as links; sockets and devices are left out.

    ``target`` is made, mode 0700. Set-id bits are dropped; modes keep the owner's rights readable.
    """
    target.mkdir(mode=0o700)
    here: list[int] = []
    with opened(source) as root, opened(target) as top:
        try:
            for visit in walk(root):
                into = here[-1] if here else top
                if visit.step == "leave":
                    os.close(here.pop())
                    continue
                if not _copy_entry(visit, into):
                    continue
                if uid is not None:
                    os.chown(visit.name, uid, uid, dir_fd=into, follow_symlinks=False)
                if visit.step == "enter":
                    here.append(os.open(visit.name, OPEN_DIRECTORY, dir_fd=into))
        finally:
            for fd in here:
                os.close(fd)
        if uid is not None:
            os.fchown(top, uid, uid)


def _copy_entry(visit: Visit, into: int) -> bool:
    mode = visit.stat.st_mode
    if visit.step == "enter":
        os.mkdir(visit.name, 0o700 | (mode & 0o755), dir_fd=into)
        return True
    if stat.S_ISLNK(mode):
        os.symlink(os.readlink(visit.name, dir_fd=visit.dir_fd), visit.name, dir_fd=into)
        return True
    if not stat.S_ISREG(mode):
        return False
    source = os.open(visit.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=visit.dir_fd)
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        target = os.open(visit.name, flags, 0o600 | (mode & 0o755), dir_fd=into)
        try:
            copy_file(source, target)
            os.utime(target, ns=(visit.stat.st_atime_ns, visit.stat.st_mtime_ns))
        finally:
            os.close(target)
    finally:
        os.close(source)
    return True


def copy_any(source: int, target: Path, *, uid: int | None = None) -> None:
    """``copy_tree`` for an open (O_PATH) directory, one file for a file."""
    if stat.S_ISDIR(os.fstat(source).st_mode):
        copy_tree(source, target, uid=uid)
        return
    source_fd = os.open(f"/proc/self/fd/{source}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        mode = 0o600 | (os.fstat(source_fd).st_mode & 0o755)
        target_fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        try:
            copy_file(source_fd, target_fd)
            if uid is not None:
                os.fchown(target_fd, uid, uid)
        finally:
            os.close(target_fd)
    finally:
        os.close(source_fd)


def readable_by(source: int, uid: int) -> bool:
    """Whether a user without further groups can read every entry (and enter every directory) of an open tree."""

    def may(status: os.stat_result) -> bool:
        need = 0o5 if stat.S_ISDIR(status.st_mode) else 0o4
        shift = 6 if status.st_uid == uid else 0
        return stat.S_ISLNK(status.st_mode) or (status.st_mode >> shift) & need == need

    status = os.fstat(source)
    if not may(status):
        return False
    if not stat.S_ISDIR(status.st_mode):
        return True
    with opened(source) as root:
        return all(may(visit.stat) for visit in walk(root) if visit.step != "leave")
