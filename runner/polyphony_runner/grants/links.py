"""Links that a node left in a granted folder, and whether they lead out of it.

A link is judged as the host's programs will follow it, not as its text reads: ``a/b/../../x`` stays inside only as
long as ``a/b`` is no link itself. So ``..`` may stand only in front, no further up than the link is deep, and what
can be followed is followed by the kernel, beneath the folder.
"""

from __future__ import annotations

import errno
import os
import posixpath
import stat
from collections.abc import Iterator
from pathlib import Path

from polyphony_runner.grants.safe_files import open_below
from polyphony_runner.sandbox import tree

# A link that leads nowhere, or in a circle, leads nobody out.
_NOWHERE = (errno.ENOENT, errno.ELOOP, errno.ENOTDIR)


def leads_out(root: int, path: str, target: str) -> bool:
    """Whether a link at ``path`` below the open folder ``root`` leads, or could lead, out of that folder.

    A link in place of the folder itself (``path`` is empty) always does.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((count for count, part in enumerate(parts) if part != ".."), len(parts))
    if not path or target.startswith("/") or ".." in parts[ups:] or ups > path.count("/"):
        return True
    try:
        os.close(open_below(root, posixpath.join(posixpath.dirname(path), target)))
    except OSError as error:
        return error.errno not in _NOWHERE
    return False


def outward(folder: Path) -> frozenset[tuple[str, str]]:
    """Path and target of every link below ``folder`` that leads out; names and depth may be anything."""
    return frozenset((path, target) for path, target, _, _ in _outward(folder))


def remove_new(folder: Path, before: frozenset[tuple[str, str]]) -> list[tuple[str, str]]:
    """Remove the links that lead out and were not there ``before``; path and target of each."""
    removed = []
    for path, target, name, holder in _outward(folder):
        if (path, target) not in before:
            os.unlink(name, dir_fd=holder)
            removed.append((path, target))
    return removed


def _outward(folder: Path) -> Iterator[tuple[str, str, str, int]]:
    with tree.opened(folder) as root:
        above: list[str] = []
        for visit in tree.walk(root):
            if visit.step == "enter":
                above.append(visit.name)
            elif visit.step == "leave":
                above.pop()
            elif stat.S_ISLNK(visit.stat.st_mode):
                path = "/".join([*above, visit.name])
                target = os.readlink(visit.name, dir_fd=visit.dir_fd)
                if leads_out(root, path, target):
                    yield path, target, visit.name, visit.dir_fd
