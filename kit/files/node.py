"""Read text files by glob. Order is the sorted path, so equal folders give equal outputs."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from polyphony_runner.runtimes.inside.python_node import Context


class Inputs(TypedDict):
    """``path`` is a folder."""

    path: str


class Parameters(TypedDict):
    """Globs, and bounds in bytes."""

    patterns: list[str]
    exclude: list[str]
    max_file: int
    max_total: int


class LeftOut(Exception):  # noqa: N818  # a decision about one file, no bug
    """This file is not part of the result; the message says why."""


def main(
    inputs: Inputs, parameters: Parameters, task: dict[str, object], context: Context
) -> dict[str, object]:
    """Return the matching files with their text, and what was left out with the reason."""
    files: list[dict[str, str]] = []
    left_out: list[dict[str, str]] = []
    total = 0
    for name, place in selected(Path(inputs["path"]), parameters["patterns"], parameters["exclude"]):
        try:
            text, size = read(place, min(parameters["max_file"], parameters["max_total"] - total))
        except LeftOut as reason:
            left_out.append({"path": name, "reason": str(reason)})
            continue
        total += size
        files.append({"path": name, "text": text})
    context.progress(len(files), len(files), f"{len(files)} files, {total} bytes")
    return {"files": files, "left_out": left_out}


def selected(root: Path, patterns: list[str], exclude: list[str]) -> Iterator[tuple[str, Path]]:
    """Relative name and place of every regular file that is wanted, in order. Links are not followed."""
    wanted, unwanted = matcher(patterns), matcher(exclude)
    found = {}
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = [name for name in folders if not unwanted(f"{relative(here / name, root)}/")]
        for name in names:
            place = here / name
            path = relative(place, root)
            if wanted(path) and not unwanted(path) and place.is_file() and not place.is_symlink():
                found[path] = place
    yield from sorted(found.items())


def relative(place: Path, root: Path) -> str:
    """The path below ``root`` with ``/`` between its parts."""
    return place.relative_to(root).as_posix()


def read(place: Path, room: int) -> tuple[str, int]:
    """Text and size of a file. LeftOut when it is larger than ``room`` or no text."""
    size = place.stat().st_size
    if size > room:
        raise LeftOut(f"{size} bytes are over the limit")
    try:
        return place.read_bytes().decode("utf-8"), size
    except UnicodeDecodeError:
        raise LeftOut("not UTF-8 text") from None
    except OSError as error:
        raise LeftOut(f"cannot be read: {error.strerror}") from None


def matcher(globs: list[str]) -> Callable[[str], bool]:
    """A test whether any of the globs matches a whole path."""
    patterns = [glob_pattern(glob) for glob in globs]
    return lambda path: any(pattern.fullmatch(path) for pattern in patterns)


def glob_pattern(glob: str) -> re.Pattern[str]:
    """One glob as a regular expression over ``/``-separated relative paths; ``**/`` also means no folder at all."""
    words = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(words.get(part, re.escape(part)) for part in parts), re.DOTALL)
