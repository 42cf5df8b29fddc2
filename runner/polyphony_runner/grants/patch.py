"""Reviewed changes as a patch that people read and ``git apply`` takes: text line by line, of anything else its size.

Made before anything is applied, from the host's files and the node's copy, both read through descriptors below their
folders. Paths are relative to the folder above the granted path.
"""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from polyphony_runner.grants.changes import Change
from polyphony_runner.grants.copies import Tree
from polyphony_runner.grants.safe_files import (
    open_beneath,
    open_folder,
    open_resolved_folder,
    opened,
    read_link,
)

MOST_BYTES = 1 << 20  # of one file, to be shown line by line
MOST_LINES = 20_000  # compared in one file
MOST_SHOWN = 4 << 20  # of the whole patch
_LINK = 0o120000
_NO_NEWLINE = "\\ No newline at end of file\n"


@dataclass(frozen=True, slots=True)
class _Side:
    """A file or link as it was or is to be. ``text`` is None where it is not shown line by line."""

    mode: int
    size: int
    text: str | None


def patch(changes: Sequence[Change], host: Tree, copy: Tree) -> str:
    """The patch of one granted path; what does not fit any more is counted in its last line. Blocking."""
    shown: list[str] = []
    size = 0
    with opened(open_resolved_folder(host.parent)) as before, opened(open_folder(copy.parent)) as after:
        for number, change in enumerate(changes):
            then = _side(before, host.inner(change.path))
            now = None if change.action == "delete" else _side(after, copy.inner(change.path))
            piece = "".join(_piece(host.inner(change.path), change, then, now))
            size += len(piece)
            if size > MOST_SHOWN:
                shown.append(f"# and {len(changes) - number} further changes, too much to be shown\n")
                break
            shown.append(piece)
    return "".join(shown)


def _side(folder: int, path: str) -> _Side | None:
    try:
        status = os.stat(path, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISLNK(status.st_mode):
            return _Side(_LINK, status.st_size, read_link(folder, path))
        if not stat.S_ISREG(status.st_mode):
            return None
        mode = 0o100755 if status.st_mode & 0o111 else 0o100644
        if status.st_size > MOST_BYTES:
            return _Side(mode, status.st_size, None)
        with os.fdopen(open_beneath(folder, path), "rb") as stream:
            return _Side(mode, status.st_size, _text(stream.read(MOST_BYTES + 1)))
    except OSError:  # it is not there, or what was there is a folder by now
        return None


def _text(data: bytes) -> str | None:
    if len(data) > MOST_BYTES or b"\0" in data or data.count(b"\n") > MOST_LINES:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _piece(path: str, change: Change, then: _Side | None, now: _Side | None) -> Iterator[str]:
    if then is None and now is None:
        yield f"# {'folder' if change.action == 'folder' else change.action} {path}\n"
        return
    if then is not None and now is not None and (then.mode == _LINK) != (now.mode == _LINK):
        yield from _piece(
            path, change, then, None
        )  # another kind of thing: the old one goes, the new one comes
        yield from _piece(path, change, None, now)
        return
    yield f"diff --git a/{path} b/{path}\n"
    if then is None and now is not None:
        yield f"new file mode {now.mode:o}\n"
    elif now is None and then is not None:
        yield f"deleted file mode {then.mode:o}\n"
    elif then is not None and now is not None and then.mode != now.mode:
        yield f"old mode {then.mode:o}\nnew mode {now.mode:o}\n"
    old, new = ("/dev/null" if then is None else f"a/{path}"), ("/dev/null" if now is None else f"b/{path}")
    if any(side is not None and side.text is None for side in (then, now)):
        yield f"Binary files {old} and {new} differ\n"
        yield f"# {_bytes(then)} before, {_bytes(now)} after\n"
        return
    lines = difflib.unified_diff(_lines(then), _lines(now), old, new)
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n{_NO_NEWLINE}"


def _bytes(side: _Side | None) -> str:
    return "nothing" if side is None else f"{side.size} bytes"


def _lines(side: _Side | None) -> list[str]:
    """Lines as ``git`` counts them: at line feeds alone."""
    text = "" if side is None or side.text is None else side.text
    return [f"{line}\n" for line in text.split("\n")[:-1]] + (
        [last] if (last := text.split("\n")[-1]) else []
    )
