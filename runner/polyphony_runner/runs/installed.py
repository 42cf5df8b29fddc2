"""From what the command line names to a melody on disk: a path, or a package of the lock in the store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.locked_packages import installed_melody, packages_for_path
from polyphony_runner.packages import PackageSource
from polyphony_schemas.values import TreeId

_PATH_START = (".", "/", "~")
_PATH_END = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a melody lies. ``tree`` is None for a path; ``packages`` finds what its nodes name."""

    path: Path
    tree: TreeId | None = None
    packages: PackageSource | None = None


def locate(text: str, home: Home) -> Place:
    """A path starts with ``.``, ``/`` or ``~`` or ends in ``.yaml .yml .json``; anything else is a name."""
    if is_path(text):
        path = Path(text).expanduser()
        folder = (path if path.is_dir() else path.parent).absolute()
        return Place(path, packages=packages_for_path(home, folder))
    melody = installed_melody(home, text)
    return Place(melody.locked.path, melody.locked.tree, melody.packages)


def is_path(text: str) -> bool:
    """Whether a word of the command line is a path and no name."""
    return text.startswith(_PATH_START) or text.endswith(_PATH_END)
