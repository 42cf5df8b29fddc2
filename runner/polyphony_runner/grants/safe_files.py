"""Reading folders that hostile programs wrote: by descriptor, below one root, never through a link.

Everything here works on ``openat2`` (Linux ≥ 5.6) with RESOLVE_BENEATH and RESOLVE_NO_SYMLINKS, so neither a link
nor ``..`` nor a mount can lead out, and nothing blocks on a FIFO.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.openat2 import BENEATH, NO_MAGICLINKS, NO_SYMLINKS, open_resolved, openat2

MAX_DEPTH = 64
MAX_ENTRIES = 100_000

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY

EntryKind = Literal["file", "folder", "link", "other"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing below a root: its POSIX path relative to the root (``""`` is the root), kind and status."""

    path: str
    kind: EntryKind
    status: os.stat_result


def open_beneath(folder: int, path: str, flags: int = _READ) -> int:
    """A descriptor of ``path`` below the open ``folder``. OSError ELOOP at a link, EXDEV at a way out."""
    return openat2(folder, path or ".", flags, BENEATH | NO_SYMLINKS | NO_MAGICLINKS)


def open_below(folder: int, path: str) -> int:
    """An O_PATH descriptor of what ``path`` leads to, links followed. OSError EXDEV when it leads out of the folder."""
    return openat2(folder, path or ".", os.O_PATH | os.O_CLOEXEC, BENEATH | NO_MAGICLINKS)


def open_folder(path: Path) -> int:
    """A descriptor of a folder of our own."""
    return os.open(path, _FOLDER | os.O_NOFOLLOW)


def open_resolved_folder(path: Path) -> int:
    """A descriptor of a folder of the host, whose resolved path somebody may be changing: no part of it is a link."""
    return open_resolved(path, _FOLDER)


def read_link(folder: int, path: str) -> str:
    """The target of a link below the open ``folder``; no part of the path before it is a link."""
    above, _, name = path.rpartition("/")
    with opened(open_beneath(folder, above, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)) as holder:
        return os.readlink(name, dir_fd=holder)


@contextlib.contextmanager
def opened(descriptor: int) -> Iterator[int]:
    """Close the descriptor at the end."""
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_regular(folder: int, path: str) -> int:
    """A descriptor of a regular file with one name, for reading. NodeError PLY3406 for anything else."""
    try:
        descriptor = open_beneath(folder, path)
    except OSError as error:
        raise _not_readable(path, error) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(descriptor)
        raise NodeError(
            "validation", "PLY3406", f"{path!r} is not a regular file with one name", retryable=True
        )
    return descriptor


def _not_readable(path: str, error: OSError) -> NodeError:
    reason = {
        errno.ENOENT: "is not there",
        errno.ELOOP: "leads through a link",
        errno.EXDEV: "leads out of the folder",
    }.get(error.errno or 0, f"cannot be read: {error.strerror}")
    return NodeError("validation", "PLY3406", f"{path!r} {reason}", retryable=True)


def entry_kind(mode: int) -> EntryKind:
    """What a status' mode says."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else "other"


def walk(root: int, top: str = "", *, max_entries: int = MAX_ENTRIES) -> Iterator[Entry]:
    """Everything at and below ``top`` (itself first), each folder before its content, names in byte order.

    Paths are relative to ``root``. Nothing is yielded when ``top`` is not there. NodeError PLY3411 for names that
    are no clean UTF-8, for depths over ``MAX_DEPTH`` and for more than ``max_entries`` entries.
    """
    try:
        status = os.stat(top or ".", dir_fd=root, follow_symlinks=False)
    except FileNotFoundError:
        return
    count = 1
    pending = [Entry(top, entry_kind(status.st_mode), status)]
    while pending:
        entry = pending.pop()
        yield entry
        if entry.kind != "folder":
            continue
        children = list(_children(root, entry.path))
        count += len(children)
        if count > max_entries:
            raise _too_much(entry.path, f"holds more than {max_entries} entries")
        pending.extend(reversed(children))


def _children(root: int, path: str) -> Iterator[Entry]:
    if path.count("/") >= MAX_DEPTH:
        raise _too_much(path, f"is deeper than {MAX_DEPTH} folders")
    with opened(open_beneath(root, path, _FOLDER)) as folder, os.scandir(folder) as found:
        for item in sorted(found, key=lambda child: os.fsencode(child.name)):
            if not clean_name(item.name):
                raise _too_much(path, f"holds the name {item.name!r}, which is no clean UTF-8")
            status = item.stat(follow_symlinks=False)
            yield Entry(f"{path}/{item.name}" if path else item.name, entry_kind(status.st_mode), status)


def clean_name(name: str) -> bool:
    """UTF-8 without control characters."""
    return not any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in name)


def _too_much(path: str, what: str) -> NodeError:
    return NodeError("output", "PLY3411", f"the folder {path or '.'!r} {what}", retryable=False)
