"""Reading a folder that untrusted programs wrote: descriptors all the way, no link is ever followed."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_ENTRIES, Entry, check_link, check_path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MAX_DEPTH = 64

KeepFile = Callable[[BinaryIO, bool], tuple[str, int]]


@contextmanager
def open_regular(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file without following a link at its end; ``ArtifactError`` PLY2304 for anything else."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise ArtifactError("PLY2304", f"{path.name!r} cannot be kept: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ArtifactError("PLY2304", f"{path.name!r} is no regular file")
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def walk(root: Path, keep: KeepFile) -> list[Entry]:
    """All entries below ``root``; ``keep`` stores one open file and gives digest and size."""
    entries: list[Entry] = []
    try:
        descriptor = os.open(root, _FLAGS | os.O_DIRECTORY)
    except OSError as error:
        raise ArtifactError("PLY2304", f"{root.name!r} cannot be kept: {error.strerror}") from error
    try:
        _walk(descriptor, "", 0, entries, keep)
    finally:
        os.close(descriptor)
    return entries


def _walk(folder: int, prefix: str, depth: int, entries: list[Entry], keep: KeepFile) -> None:
    if depth > MAX_DEPTH:
        raise ArtifactError("PLY2304", f"folders nested deeper than {MAX_DEPTH} below {prefix[:60]!r}")
    names = sorted(os.listdir(folder))
    if not names and prefix:
        entries.append(Entry(prefix[:-1], "d"))
    for name in names:
        try:
            (prefix + name).encode()
        except UnicodeEncodeError:
            raise ArtifactError("PLY2304", f"the name {prefix + name!r} is not UTF-8") from None
        _one(folder, prefix + name, depth, entries, keep)
        if len(entries) > MAX_ENTRIES:
            raise ArtifactError("PLY2304", f"more than {MAX_ENTRIES} files in one folder artifact")


def _one(folder: int, path: str, depth: int, entries: list[Entry], keep: KeepFile) -> None:
    check_path(path)
    name = path.rpartition("/")[2]
    mode = os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    if stat.S_ISLNK(mode):
        target = os.readlink(name, dir_fd=folder)
        check_link(path, target)
        entries.append(Entry(path, "l", target))
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        raise ArtifactError("PLY2304", f"{path!r} is neither file, folder nor link")
    descriptor = os.open(name, _FLAGS, dir_fd=folder)
    try:
        opened = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(opened):
            _walk(descriptor, f"{path}/", depth + 1, entries, keep)
        elif stat.S_ISREG(opened):
            executable = bool(opened & stat.S_IXUSR)
            with os.fdopen(os.dup(descriptor), "rb") as stream:
                digest, size = keep(stream, executable)
            entries.append(Entry(path, "x" if executable else "f", digest, size))
        else:
            raise ArtifactError("PLY2304", f"{path!r} is neither file nor folder")
    finally:
        os.close(descriptor)
