"""From what the command line names to a melody on disk: a path, or a package of the lock in the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.kept_graphs import KeptMelody, dependencies_of, kept_melody
from polyphony_runner.locked_packages import InstalledMelody, installed_melody, packages_for_path
from polyphony_runner.packages import Package, PackageSource
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.names import looks_like_path
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class Ready:
    """An installed melody whose graph was kept: nothing of it has to be read or compiled."""

    graph: CompiledMelody
    packages: Mapping[str, Package]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a melody lies. ``tree`` is None for a path; ``packages`` finds what its nodes name.

    ``package`` is the ``owner/name`` of an installed one.
    """

    path: Path
    tree: TreeId | None = None
    packages: PackageSource | None = None
    ready: Ready | None = None
    package: str = ""


def locate(text: str, home: Home) -> Place:
    """A path starts with ``.``, ``/`` or ``~`` or ends in ``.yaml .yml .json``; anything else is a name."""
    if looks_like_path(text):
        path = Path(text).expanduser()
        folder = (path if path.is_dir() else path.parent).absolute()
        return Place(path, packages=packages_for_path(home, folder))
    melody = installed_melody(home, text)
    return Place(melody.locked.path, melody.locked.tree, melody.packages, _ready(melody), melody.locked.name)


def _ready(melody: InstalledMelody) -> Ready | None:
    """What was kept of a melody, its packages checked against the lock; None when it has to be read."""
    packages = melody.packages
    lock, key = packages.locks[0], melody.locked.key
    kept = kept_melody(packages.store, melody.locked.tree, dependencies_of(lock, key))
    return None if kept is None else _with_packages(kept, melody)


def _with_packages(kept: KeptMelody, melody: InstalledMelody) -> Ready:
    found: dict[str, Package] = {}
    trees = {"": melody.locked}
    for key, one in kept.packages.items():
        if one.origin not in trees:
            trees[one.origin] = melody.packages.tree_of(one.origin)
        tree = trees[one.origin]
        name = tree.name if one.folder == "." else one.program.interface.name
        found[key] = Package(tree.path / one.folder, one.program, tree.tree, name=name)
    return Ready(kept.graph, found)
