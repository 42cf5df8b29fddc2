"""Making or extending the lock for a melody that is run by its path: what it uses and no lock names yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from polyphony_runner.http import Transport
from polyphony_runner.install.installing import Installed, Request, install
from polyphony_runner.install.resolve import Policy
from polyphony_runner.locking import LOCK_NAME, install_place, locked_key, read_lock, run_places
from polyphony_runner.manifest import read_manifest
from polyphony_runner.package_files import read_package_files
from polyphony_runner.registries.table import Registries
from polyphony_runner.store import FolderStore, PackageStore
from polyphony_schemas.errors import TrustError
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import parse_package
from polyphony_schemas.values import TreeId


def uses_of(folder: Path) -> tuple[str, ...]:
    """Every ``owner/name@range`` that the package in a folder uses, its own folders included; PLY6705, PLY6707."""
    return read_manifest(read_package_files(folder).texts()).uses


def missing_uses(registries: Registries, folder: Path, uses: Sequence[str]) -> list[str]:
    """The uses that no lock near the folder names, or whose tree is not in the store."""
    locks = [lock for place in run_places(registries.home, folder, folder) if (lock := read_lock(place))]
    store = FolderStore(registries.home.store)
    return [text for text in uses if not any(_is_here(lock, store, text) for lock in locks)]


def lock_uses(
    registries: Registries,
    transport: Transport,
    folder: Path,
    uses: Sequence[str],
    *,
    frozen: bool = False,
    policy: Policy | None = None,
    notice: Callable[[str], None] = lambda _: None,
    now: int | None = None,
) -> list[Installed]:
    """Verify and lock what ``missing_uses`` finds, in the nearest lock there is, else where install would write.

    With ``frozen`` anything that no lock names is PLY5903.
    """
    missing = missing_uses(registries, folder, uses)
    if not missing:
        return []
    place = lock_place(registries, folder)
    lock = read_lock(place) or Lock()
    unknown = [text for text in missing if locked_key(lock, text) is None]
    if frozen and unknown:
        raise TrustError(
            "PLY5903",
            f"not in the lock: {', '.join(unknown)}",
            step=8,
            hint="run without --frozen, look at the change, and commit the lock",
            details={"missing": unknown},
        )
    request = Request(
        lock_path=place,
        references=[parse_package(text) for text in missing],
        frozen=frozen,
        policy=policy or Policy(),
        notice=notice,
    )
    return install(registries, transport, request, now=now)


def lock_place(registries: Registries, folder: Path) -> Path:
    """The nearest lock there is for a melody in ``folder``, else the work tree's, else one beside the melody."""
    for place in run_places(registries.home, folder, folder):
        if place.exists() and place != registries.home.lock:
            return place
    place = install_place(registries.home, folder)
    return folder / LOCK_NAME if place == registries.home.lock else place


def _is_here(lock: Lock, store: PackageStore, uses: str) -> bool:
    key = locked_key(lock, uses)
    return key is not None and store.has(TreeId(lock.packages[key].tree))
