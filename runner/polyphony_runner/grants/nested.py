"""Protected names deeper in a folder that is granted directly: seen as they are, and what came in their place.

Below the top a node may rename the folder around such a name, although the name itself is mounted read-only: so
they are compared afterwards, by what they are and not only by where.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from polyphony_runner.grants.changes import protected
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox import tree

# Each is a mount of its own; bubblewrap's time grows with the square of their number.
MOST_PROTECTED = 256
MOST_ENTRIES = 1_000_000

# What a protected name is: device and inode, or the target of a link.
Identity: TypeAlias = tuple[int, int] | str


def protected_below(folder: Path) -> dict[str, Identity]:
    """Every protected name below the top of ``folder``, by relative path. NodeError PLY3411 for too many to guard."""
    found: dict[str, Identity] = {}
    for count, (path, visit) in enumerate(_visits(folder)):
        if path is not None and visit.step != "leave":
            found[path] = _identity(visit)
        if len(found) > MOST_PROTECTED or count > MOST_ENTRIES:
            raise NodeError(
                "permission",
                "PLY3411",
                f"{str(folder)!r} holds too many entries, or protected names, to be written directly",
                hint="grant a smaller folder, or leave mode: direct out",
                retryable=False,
            )
    return found


def move_aside(folder: Path, before: dict[str, Identity]) -> list[tuple[str, str]]:
    """Rename the protected names that were not there ``before``; the path and the new name of each. The tree is dead."""
    moved = []
    for path, visit in _visits(folder):
        if path is None or visit.step == "enter" or before.get(path) == _identity(visit):
            continue
        aside = f"{visit.name}.withheld-{secrets.token_hex(4)}"
        os.rename(visit.name, aside, src_dir_fd=visit.dir_fd, dst_dir_fd=visit.dir_fd)
        moved.append((path, aside))
    return moved


def _identity(visit: tree.Visit) -> Identity:
    if stat.S_ISLNK(visit.stat.st_mode):
        return os.readlink(visit.name, dir_fd=visit.dir_fd)
    return visit.stat.st_dev, visit.stat.st_ino


def _visits(folder: Path) -> Iterator[tuple[str | None, tree.Visit]]:
    """Every visit, with the path of those that bear a protected name below the top and lie in no protected folder."""
    with tree.opened(folder) as root:
        above: list[str] = []
        for visit in tree.walk(root):
            if visit.step == "leave":
                above.pop()
            inside = bool(above) and not protected("/".join(above))
            named = inside and protected(visit.name)
            yield ("/".join([*above, visit.name]) if named else None), visit
            if visit.step == "enter":
                above.append(visit.name)
