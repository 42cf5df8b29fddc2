"""``mode: copy``: what a node changed in its private copy, found and reviewed.

1. The dead copy is compared with the host's files as they were when they were copied.
2. Review: entries under protected names are withheld, special files too; a link that leads out of the folder
   refuses the whole change.
3. ``apply``: if the host's side of any changed path moved meanwhile, nothing is applied; else each file is the old
   one or the new one.
"""

from __future__ import annotations

import contextlib
import fnmatch
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from polyphony_runner.grants.copies import Stamp, Tree
from polyphony_runner.grants.links import leads_out
from polyphony_runner.grants.safe_files import (
    Entry,
    open_beneath,
    open_folder,
    open_resolved_folder,
    opened,
    read_link,
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
                change = _link_change(path, os.readlink(entry.path, dir_fd=parent), host, copy)
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


def _link_change(path: str, target: str, host: Tree, copy: Tree) -> Change | None:
    with contextlib.suppress(OSError), opened(open_resolved_folder(host.parent)) as parent:
        if read_link(parent, host.inner(path)) == target:
            return None
    if not path or _leads_out(path, target, copy):
        raise NodeError(
            "permission",
            "PLY3406",
            f"the node left a link {path or host.name!r} that leads out of the granted folder, to {target!r}",
            hint="nothing was applied; a node may only make relative links that stay inside, with .. only in front",
        )
    return Change(path, "link", target=target)


def _leads_out(path: str, target: str, copy: Tree) -> bool:
    with opened(open_folder(copy.parent / copy.name)) as root:
        return leads_out(root, path, target)


def _file_change(path: str, entry: Entry, old: Stamp | None, host: Tree, copy: Tree) -> Change | None:
    executable = bool(entry.status.st_mode & 0o111)
    if old is None or executable != bool(old.mode & 0o111):
        return Change(path, "write", 0o755 if executable else 0o644)
    if entry.status.st_size == old.size and _same_bytes(host, copy, path):
        return None
    return Change(path, "write", old.mode)


def _same_bytes(host: Tree, copy: Tree, path: str) -> bool:
    with opened(open_resolved_folder(host.parent)) as left, opened(open_folder(copy.parent)) as right:
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
