"""Applying reviewed changes to the host: all checked first, then each file the old one or the new one.

Files are written beside their target and renamed over it, through descriptors below the granted folder.
"""

from __future__ import annotations

import contextlib
import functools
import os
import posixpath
import secrets
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from polyphony_runner.grants.changes import Change
from polyphony_runner.grants.copies import Stamp, Tree
from polyphony_runner.grants.safe_files import (
    Entry,
    entry_kind,
    open_beneath,
    open_folder,
    open_regular,
    open_resolved_folder,
    opened,
)
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.tree import copy_file

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def apply(changes: Sequence[Change], before: Mapping[str, Stamp], host: Tree, copy: Tree) -> None:
    """Apply reviewed changes. NodeError PLY3405, and nothing applied, when the host's files moved meanwhile."""
    if not changes:
        return
    with opened(open_resolved_folder(host.parent)) as target, opened(open_folder(copy.parent)) as source:
        for change in changes:
            _check_unmoved(target, host.inner(change.path), before.get(change.path), host.parent)
        try:
            for change in changes:
                if change.action == "delete":
                    _delete(target, host.inner(change.path))
            for change in changes:
                _put(change, target, host, source, copy)
        except OSError as error:
            raise NodeError(
                "disk",
                "PLY3412",
                f"changes could not be applied to {str(host.parent / host.name)!r}: {error.strerror}",
                hint="files before this one are applied; mend the cause and run again",
            ) from error


def _put(change: Change, target: int, host: Tree, source: int, copy: Tree) -> None:
    inner = host.inner(change.path)
    if change.action == "folder":
        _make_folder(target, inner)
    elif change.action == "link":
        _replace(target, inner, functools.partial(_link, change.target))
    elif change.action == "write":
        _write(target, inner, source, copy.inner(change.path), change.mode)


def _check_unmoved(folder: int, path: str, old: Stamp | None, parent: Path) -> None:
    now = None
    # No such folder, or a link or file where the change wants a folder: nothing is there.
    with contextlib.suppress(OSError), opened(_parent(folder, path)) as holder:
        status = os.stat(posixpath.basename(path), dir_fd=holder, follow_symlinks=False)
        now = Stamp.of(Entry(path, entry_kind(status.st_mode), status))
    if now != old:
        raise NodeError(
            "validation",
            "PLY3405",
            f"{str(parent / path)!r} changed on the host while the node worked on its copy",
            hint="nothing was applied; run again",
            retryable=True,
        )


def _delete(folder: int, path: str) -> None:
    with opened(_parent(folder, path)) as holder:
        name = posixpath.basename(path)
        if entry_kind(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode) != "folder":
            os.unlink(name, dir_fd=holder)
            return
        try:
            os.rmdir(name, dir_fd=holder)
        except OSError:
            return  # it still holds something withheld


def _make_folder(folder: int, path: str) -> None:
    with opened(_parent(folder, path)) as holder:
        name = posixpath.basename(path)
        try:
            os.mkdir(name, 0o755, dir_fd=holder)
        except FileExistsError:
            if entry_kind(os.stat(name, dir_fd=holder, follow_symlinks=False).st_mode) == "folder":
                return
            os.unlink(name, dir_fd=holder)
            os.mkdir(name, 0o755, dir_fd=holder)


def _write(target: int, path: str, source: int, origin: str, mode: int) -> None:
    with opened(open_regular(source, origin)) as reading:

        def make(name: str, folder: int) -> None:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            with opened(os.open(name, flags, 0o600, dir_fd=folder)) as writing:
                copy_file(reading, writing)
                os.fchmod(writing, mode & 0o777)
                os.fsync(writing)

        _replace(target, path, make)


def _replace(folder: int, path: str, make: Callable[[str, int], None]) -> None:
    """Make the new thing beside its target and rename it over; an empty folder in the way goes first."""
    name = posixpath.basename(path)
    temporary = f".{secrets.token_hex(6)}.polyphony"
    with opened(_parent(folder, path)) as holder:
        make(temporary, holder)
        try:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.rmdir(name, dir_fd=holder)
            os.rename(temporary, name, src_dir_fd=holder, dst_dir_fd=holder)
        except BaseException:
            os.unlink(temporary, dir_fd=holder)
            raise


def _link(target: str, name: str, folder: int) -> None:
    os.symlink(target, name, dir_fd=folder)


def _parent(folder: int, path: str) -> int:
    return open_beneath(folder, posixpath.dirname(path), _FOLDER)
