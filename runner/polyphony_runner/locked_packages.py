"""Packages of registries for a run: what the lock names, from the store, its files hashed before anything is mounted.

No network, ever. Each tree is hashed once in the life of a source (PLY5902 when it differs).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.home import Home
from polyphony_runner.locking import LockedTree, find_root, locked_key, locked_tree, read_lock, run_places
from polyphony_runner.packages import Package, read_package
from polyphony_runner.store import FolderStore, PackageStore
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import PackageReference, parse_package, parse_uses


@dataclass(slots=True)
class LockedPackages:
    """A ``PackageSource`` over locks, nearest first. ``consumer``: the lock key of the package that asks.

    Without a consumer (a melody run by its path) the first lock that holds a fitting version answers.
    """

    locks: list[Lock]
    store: PackageStore
    consumer: str | None = None
    _found: dict[str, Package] = field(default_factory=dict)

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The locked package for ``owner/name@range``; None for other words and for what no lock has."""
        del relative_to
        if uses in self._found:
            return self._found[uses]
        located = self.locate(uses)
        if located is None:
            return None
        package = read_package(located.path, tree=located.tree, name=located.name)
        self._found[uses] = package
        return package

    def for_consumer(self, key: str) -> LockedPackages:
        """What the same locks give to the documents of one of their packages."""
        return LockedPackages(self.locks, self.store, key)

    def tree_of(self, key: str) -> LockedTree:
        """A locked package by its key, its files checked; PLY5903, PLY5902, PLY6203."""
        return locked_tree(self.locks[0], self.store, key)

    def locate(self, uses: str) -> LockedTree | None:
        """The locked tree for ``owner/name@range``, checked; None for other words and for what no lock has."""
        if not isinstance(parse_uses(uses), PackageReference):
            return None
        for lock in self.locks:
            key = locked_key(lock, uses, self.consumer)
            if key is not None:
                return locked_tree(lock, self.store, key)
        return None


@dataclass(frozen=True, slots=True)
class InstalledMelody:
    """An installed melody: its locked tree and the source of what its nodes name."""

    locked: LockedTree
    packages: LockedPackages


def packages_for_path(home: Home, folder: Path, cwd: Path | None = None) -> LockedPackages:
    """What the locks near a melody's folder offer to it."""
    found = [read_lock(place) for place in run_places(home, folder, cwd or Path.cwd())]
    return LockedPackages([lock for lock in found if lock is not None], FolderStore(home.store))


def installed_melody(home: Home, text: str, cwd: Path | None = None) -> InstalledMelody:
    """The melody that ``[owner/]name[@range]`` means in the first lock that has it as a root.

    PLY6602 when none has; PLY5902, PLY6203 when the store is not what the lock says.
    """
    reference = parse_package(text)
    store = FolderStore(home.store)
    _, lock, key = find_root(run_places(home, None, cwd or Path.cwd()), reference)
    return InstalledMelody(locked_tree(lock, store, key), LockedPackages([lock], store, key))
