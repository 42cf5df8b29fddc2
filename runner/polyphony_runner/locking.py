"""``melody.lock`` on disk: where it lies, how it is read and written, what it says of a package (docs/install.md).

Places, nearest first: beside the ``melody.yaml`` that is run; the root of the git work tree; the home. `run` takes
the first that has the root. A lock is replaced by one rename.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.files import exclusive, write_atomic
from polyphony_runner.git import work_tree_root
from polyphony_runner.home import Home
from polyphony_runner.store import PackageStore
from polyphony_schemas.errors import FormatError, TrustError
from polyphony_schemas.lock import Lock, LockedPackage, decode_lock, encode_lock
from polyphony_schemas.names import PackageReference, did_you_mean, parse_package
from polyphony_schemas.semver import Version
from polyphony_schemas.values import TreeId

LOCK_NAME = "melody.lock"


@dataclass(frozen=True, slots=True)
class LockedTree:
    """A locked package in the store: its key, its entry, and the folder whose files were hashed just now."""

    key: str
    entry: LockedPackage
    path: Path

    @property
    def name(self) -> str:
        """``owner/name``."""
        return self.key.rpartition("@")[0]

    @property
    def tree(self) -> TreeId:
        """The identity of the files."""
        return TreeId(self.entry.tree)


def run_places(home: Home, folder: Path | None, cwd: Path) -> list[Path]:
    """Where a lock may lie for a run, nearest first; ``folder`` holds the melody when it was given by path."""
    places = [folder / LOCK_NAME] if folder is not None else []
    root = work_tree_root(folder or cwd)
    if root is not None:
        places.append(root / LOCK_NAME)
    places.append(home.lock)
    return list(dict.fromkeys(places))


def install_place(home: Home, cwd: Path, *, everywhere: bool = False) -> Path:
    """Where ``install`` writes: the root of the git work tree around ``cwd``, else (or ``everywhere``) the home."""
    root = None if everywhere else work_tree_root(cwd)
    return home.lock if root is None else root / LOCK_NAME


def read_lock(path: Path) -> Lock | None:
    """Read a lock; None when there is none, PLY6601 when it is broken."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return decode_lock(data, str(path))
    except FormatError as error:
        raise ClientError(
            "PLY6601",
            f"the lock is broken: {error.message}",
            hint="restore it (git checkout melody.lock), or remove it and install again",
            details={"path": str(path), **error.details},
        ) from error


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lock by one rename."""
    write_atomic(path, encode_lock(lock), mode=0o644)


@contextmanager
def changing(home: Home, path: Path) -> Iterator[Lock]:
    """Hold a lock file against other installs of this home while it is read, extended and written."""
    name = hashlib.sha256(str(path.absolute()).encode()).hexdigest()[:16]
    with exclusive(home.cache / f"lock-{name}"):
        yield read_lock(path) or Lock()


def find_root(places: list[Path], reference: PackageReference) -> tuple[Path, Lock, str]:
    """The first lock that has the name as a root in that range: its path, the lock, the package's key; PLY6602."""
    name = reference.full_name
    known: list[str] = []
    for path in places:
        lock = read_lock(path)
        known += () if lock is None else lock.roots
        root = None if lock is None else lock.roots.get(name)
        if lock is not None and root is not None and reference.range.allows(Version.parse(root.version)):
            return path, lock, f"{name}@{root.version}"
    meant = did_you_mean(name, (one for one in known if one != name))
    raise ClientError(
        "PLY6602",
        f"{reference if str(reference.range) != '*' else name} is not installed here",
        hint=f"{meant} polyphony install {reference if str(reference.range) != '*' else name}".lstrip(),
        details={"name": name},
    )


def locked_package(lock: Lock, store: PackageStore, uses: str, consumer: str | None = None) -> LockedTree:
    """The package that ``uses`` (``owner/name@range``) means for a consumer, its files checked against the lock.

    ``consumer`` is the lock key of the package whose document says it, None for a project's own melody.
    Raises TrustError PLY5903 (not in the lock), PLY5902 (other files), ClientError PLY6203 (not in the store).
    """
    key = locked_key(lock, uses, consumer)
    if key is None:
        raise TrustError(
            "PLY5903",
            f"{uses} is not in the lock" + (f" for {consumer}" if consumer else ""),
            step=8,
            hint=f"polyphony install {uses}",
            details={"uses": uses, "consumer": consumer},
        )
    return locked_tree(lock, store, key)


def locked_tree(lock: Lock, store: PackageStore, key: str) -> LockedTree:
    """A locked package by its key, its files checked against the lock. PLY5903, PLY5902, PLY6203."""
    entry = lock.packages.get(key)
    if entry is None:
        raise TrustError(
            "PLY5903",
            f"{key} is not in the lock",
            step=8,
            hint=f"polyphony install {key}",
            details={"key": key},
        )
    return LockedTree(key, entry, verify_run_content(store, TreeId(entry.tree)))


def verify_run_content(store: PackageStore, tree: TreeId) -> Path:
    """Hash the files of a locked tree, and give their folder. PLY5902, PLY6203. Once a run is enough."""
    return store.verify(tree)


def locked_key(lock: Lock, uses: str, consumer: str | None = None) -> str | None:
    """The lock key that ``uses`` means for a consumer, or None; never a package outside of the range."""
    reference = parse_package(uses)
    if consumer is not None:
        package = lock.packages.get(consumer)
        key = None if package is None else package.dependencies.get(uses)
        if key is None:
            return None
        name, _, version = key.rpartition("@")
        fits = name == reference.full_name and reference.range.allows(Version.parse(version))
        return key if fits else None
    root = lock.roots.get(reference.full_name)
    if root is not None and reference.range.allows(Version.parse(root.version)):
        return f"{reference.full_name}@{root.version}"
    return newest_locked(lock, reference)


def newest_locked(lock: Lock, reference: PackageReference) -> str | None:
    """The key of the highest locked version in a range, or None."""
    versions = [
        Version.parse(key.rpartition("@")[2])
        for key in lock.packages
        if key.rpartition("@")[0] == reference.full_name
    ]
    allowed = [version for version in versions if reference.range.allows(version)]
    return f"{reference.full_name}@{max(allowed)}" if allowed else None


def reachable(roots: Mapping[str, str], edges: Mapping[str, Mapping[str, str]]) -> set[str]:
    """Every lock key that the roots (name to version) lead to."""
    waiting = [f"{name}@{version}" for name, version in roots.items()]
    seen: set[str] = set()
    while waiting:
        key = waiting.pop()
        if key not in seen:
            seen.add(key)
            waiting.extend(edges.get(key, {}).values())
    return seen
