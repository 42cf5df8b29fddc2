"""``mode: copy``: what a node changed in its private copy, reviewed and then applied to the host.

1. The dead copy is compared with the host's files as they were when they were copied.
2. Review: entries under protected names are withheld, special files too; a link that leads out of the folder
   refuses the whole change.
3. If the host's side of any changed path moved meanwhile, nothing is applied.
4. Files are written beside their target and renamed over it, so each is the old one or the new one.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import os
import posixpath
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from polyphony_runner.grants.copies import Stamp, Tree, copy_bytes
from polyphony_runner.grants.safe_files import (
    Entry,
    entry_kind,
    open_beneath,
    open_folder,
    open_regular,
    opened,
    walk,
)
from polyphony_runner.runtimes.failures import NodeError

# Names whose content runs or decides later, on the host: hooks, editor tasks, CI jobs, our own manifests.
PROTECTED = (
    ".git",
    ".github",
    ".vscode",
    ".idea",
    ".envrc",
    ".pre-commit-config.yaml",
    ".gitmodules",
    "melody.*",
)
_CHUNK = 1 << 20
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Change:
    """One path, relative to the tree, and what is to be done there."""

    path: str
    action: Literal["write", "link", "folder", "delete"]
    mode: int = 0o644
    target: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What would be applied, in order, and what is withheld."""

    changes: tuple[Change, ...]
    withheld: tuple[str, ...] = ()


def protected(path: str) -> bool:
    """Whether any part of a path relative to a grant bears a protected name, whatever its case."""
    return any(
        fnmatch.fnmatchcase(part.casefold(), pattern) for part in path.split("/") for pattern in PROTECTED
    )


def review(before: Mapping[str, Stamp], host: Tree, copy: Tree) -> Review:
    """Compare the copy with what was copied. NodeError PLY3406 for a link that leads out."""
    named = protected(host.name)
    changes: list[Change] = []
    withheld: list[str] = []
    seen: set[str] = set()
    with opened(open_folder(copy.parent)) as parent:
        for entry in walk(parent, copy.name):
            path = entry.path[len(copy.name) + 1 :]
            seen.add(path)
            if entry.kind == "other":
                withheld.append(path)
                continue
            old = before.get(path)
            old = old if old is not None and old.kind == entry.kind else None
            if entry.kind == "link":
                change = _link_change(path, os.readlink(entry.path, dir_fd=parent), host)
            elif entry.kind == "folder":
                change = None if old else Change(path, "folder", 0o755)
            else:
                change = _file_change(path, entry, old, host, copy)
            if change is None:
                continue
            if protected(path) and not named:
                withheld.append(path)
            else:
                changes.append(change)
    for path in sorted(set(before) - seen, reverse=True):
        if protected(path) and not named:
            withheld.append(path)
        else:
            changes.append(Change(path, "delete"))
    return Review(tuple(changes), tuple(withheld))


def _link_change(path: str, target: str, host: Tree) -> Change | None:
    with contextlib.suppress(OSError):
        if str((host.parent / host.inner(path)).readlink()) == target:
            return None
    _refuse_escape(path, target)
    return Change(path, "link", target=target)


def _file_change(path: str, entry: Entry, old: Stamp | None, host: Tree, copy: Tree) -> Change | None:
    executable = bool(entry.status.st_mode & 0o111)
    if old is None or executable != bool(old.mode & 0o111):
        return Change(path, "write", 0o755 if executable else 0o644)
    if entry.status.st_size == old.size and _same_bytes(host, copy, path):
        return None
    return Change(path, "write", old.mode)


def _refuse_escape(path: str, target: str) -> None:
    resolved = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    if target.startswith("/") or resolved == ".." or resolved.startswith("../"):
        raise NodeError(
            "permission",
            "PLY3406",
            f"the node left a link {path!r} that leads out of the granted folder, to {target!r}",
            hint="nothing was applied; a node may only make relative links that stay inside",
        )


def _same_bytes(host: Tree, copy: Tree, path: str) -> bool:
    with opened(open_folder(host.parent)) as left, opened(open_folder(copy.parent)) as right:
        try:
            first = open_beneath(left, host.inner(path))
        except OSError:
            return False
        with opened(first), opened(open_beneath(right, copy.inner(path))) as second:
            while True:
                chunk = os.read(first, _CHUNK)
                if chunk != os.read(second, _CHUNK):
                    return False
                if not chunk:
                    return True


def apply(changes: Sequence[Change], before: Mapping[str, Stamp], host: Tree, copy: Tree) -> None:
    """Apply reviewed changes. NodeError PLY3405, and nothing applied, when the host's files moved meanwhile."""
    if not changes:
        return
    with opened(open_folder(host.parent)) as target, opened(open_folder(copy.parent)) as source:
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
    try:
        status = os.stat(path, dir_fd=folder, follow_symlinks=False)
        now = Stamp.of(Entry(path, entry_kind(status.st_mode), status))
    except (FileNotFoundError, NotADirectoryError):
        now = None
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
                copy_bytes(reading, writing)
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
