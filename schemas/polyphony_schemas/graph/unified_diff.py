r"""Unified diffs, as ``git diff`` and ``diff -u`` write them: read, and tried on the files they are about.

    >>> patch = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n one\n-two\n+three\n"
    >>> try_diff(read_diff(patch), {"x": "one\ntwo\n"}.get) is None
    True
    >>> try_diff(read_diff(patch), {"x": "one\nother\n"}.get)
    "line 2 of 'x' is 'other', the diff expects 'two'"

Nothing is applied here and nothing but the named files is asked for. A hunk must fit at the line it names, or at the
one nearest to it; what it takes for granted must be there exactly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

MAX_BYTES = 4 << 20
_HUNK = re.compile(r"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_NO_FILE = "/dev/null"
_EXTENDED = re.compile(
    r"(index|old mode|new mode|deleted file mode|new file mode|similarity index|dissimilarity index|copy from|copy to) "
)
# How far from its line a hunk may fit.
_DRIFT = 1000


class DiffError(ValueError):
    """A text that is no unified diff; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """``old`` are the lines that must be there from line ``start`` (from 1; 0 in an empty file)."""

    start: int
    old: tuple[str, ...]


@dataclass(slots=True)
class FileDiff:
    """What happens to one file: ``source`` None for a new one, ``target`` None for one that goes."""

    source: str | None
    target: str | None
    hunks: list[Hunk] = field(default_factory=list)


def read_diff(text: str) -> list[FileDiff]:
    """The files of a diff; DiffError for anything else, an empty one included."""
    if len(text) > MAX_BYTES:
        raise DiffError(f"more than {MAX_BYTES} characters")
    lines = _Lines(text.split("\n"))
    if lines.all and lines.all[-1] == "":
        lines.all.pop()
    files: list[FileDiff] = []
    while not lines.done:
        if (found := _file(lines)) is not None:
            files.append(found)
    if not files:
        raise DiffError("no file is named: expected '--- a/FILE', '+++ b/FILE' and hunks")
    return files


def try_diff(files: Sequence[FileDiff], read: Callable[[str], str | None]) -> str | None:
    """Why the diff does not fit these files, None when it does; ``read`` gives a file's text, None when it is not there."""
    for one in files:
        if one.source is None:
            if one.target is not None and read(one.target) is not None:
                return f"{one.target!r} is to be made, and is there already"
            continue
        content = read(one.source)
        if content is None:
            return f"{one.source!r} is to be changed, and is not there"
        if (wrong := _try_file(one, content)) is not None:
            return wrong
    return None


@dataclass(slots=True)
class _Lines:
    all: list[str]
    at: int = 0

    @property
    def done(self) -> bool:
        return self.at >= len(self.all)

    @property
    def next(self) -> str:
        return "" if self.done else self.all[self.at]

    def take(self) -> str:
        self.at += 1
        return self.all[self.at - 1]


def _file(lines: _Lines) -> FileDiff | None:
    """One file, or None for a line that is only talk (the header of a mail, ``index`` and the like)."""
    line = lines.next
    if line.startswith("GIT binary patch"):
        raise DiffError(f"line {lines.at + 1}: a binary patch, expected lines of text")
    if line.startswith("rename from "):
        return _rename(lines)
    if line.startswith("@@ "):
        raise DiffError(f"line {lines.at + 1}: a hunk before '--- a/FILE' and '+++ b/FILE'")
    if not line.startswith("--- "):
        lines.take()
        return None
    source = _name(lines.take())
    if not lines.next.startswith("+++ "):
        raise DiffError(f"line {lines.at + 1}: {lines.next[:60]!r}, expected '+++ b/FILE'")
    target = _name(lines.take())
    if source is None and target is None:
        raise DiffError(f"line {lines.at}: neither side names a file")
    found = FileDiff(source, target)
    found.hunks += _hunks(lines)
    if not found.hunks:
        raise DiffError(f"line {lines.at + 1}: {target or source!r} has no hunk: expected '@@ -N,N +N,N @@'")
    return found


def _rename(lines: _Lines) -> FileDiff | None:
    """A rename; its hunks, if any, name both sides again, so that only one without is a file of its own."""
    source = _checked(lines.take().removeprefix("rename from "))
    if not lines.next.startswith("rename to "):
        raise DiffError(f"line {lines.at + 1}: expected 'rename to FILE'")
    target = _checked(lines.take().removeprefix("rename to "))
    while _EXTENDED.match(lines.next):
        lines.take()
    return None if lines.next.startswith("--- ") else FileDiff(source, target)


def _hunks(lines: _Lines) -> Iterator[Hunk]:
    while (head := _HUNK.match(lines.next)) is not None:
        number = lines.at + 1
        lines.take()
        start, old_count, new_count = int(head[1]), int(head[2] or 1), int(head[4] or 1)
        old: list[str] = []
        added = 0
        while len(old) < old_count or added < new_count:
            if lines.done:
                raise DiffError(f"line {number}: the hunk names more lines than it has")
            line = lines.take()
            sign, text = line[:1], line[1:]
            if sign in ("", " "):
                old.append(text)
                added += 1
            elif sign == "-":
                old.append(text)
            elif sign == "+":
                added += 1
            elif sign != "\\":
                raise DiffError(f"line {lines.at}: {line[:60]!r}, expected ' ', '+' or '-' first")
        if (len(old), added) != (old_count, new_count):
            raise DiffError(f"line {number}: the hunk has {len(old)} and {added} lines, its head says others")
        if lines.next.startswith("\\"):
            lines.take()
        yield Hunk(start, tuple(old))


def _name(line: str) -> str | None:
    """The path of a header, without ``a/`` or ``b/`` and a time after a tab; None for no file."""
    name = line[4:].partition("\t")[0].rstrip("\r")
    if name == _NO_FILE:
        return None
    return _checked(name[2:] if name.startswith(("a/", "b/")) else name)


def _checked(name: str) -> str:
    parts = name.split("/")
    if not name or name.startswith("/") or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise DiffError(f"the path {name[:100]!r} leads out of the tree")
    return name


def _try_file(one: FileDiff, content: str) -> str | None:
    have = content.split("\n")
    if have[-1] == "":
        have.pop()
    least = drift = 0
    for hunk in one.hunks:
        wanted = max(hunk.start - 1, 0) + drift
        place = _fitting(have, hunk.old, wanted, least)
        if place is None:
            return _difference(one, have, hunk, min(wanted, len(have)))
        drift = place - max(hunk.start - 1, 0)
        least = place + len(hunk.old)
    return None


def _fitting(have: Sequence[str], old: Sequence[str], wanted: int, least: int) -> int | None:
    """Where the lines stand, as near to ``wanted`` as can be and not before ``least``."""
    last = len(have) - len(old)
    for distance in range(_DRIFT):
        for place in {wanted - distance, wanted + distance}:
            if least <= place <= last and tuple(have[place : place + len(old)]) == tuple(old):
                return place
    return None


def _difference(one: FileDiff, have: Sequence[str], hunk: Hunk, place: int) -> str:
    name = one.source
    for offset, line in enumerate(hunk.old):
        number = place + offset
        if number >= len(have):
            return f"{name!r} has {len(have)} lines, the diff expects {line[:80]!r} at line {number + 1}"
        if have[number] != line:
            return f"line {number + 1} of {name!r} is {have[number][:80]!r}, the diff expects {line[:80]!r}"
    return f"the hunks for {name!r} overlap at line {place + 1}"
