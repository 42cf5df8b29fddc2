"""What takes room in the folder of a store, and its removal. The caller holds the store's lock where two could meet."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from polyphony_runner.artifacts.manifest import is_digest
from polyphony_runner.artifacts.protocol import Held
from polyphony_runner.files import private_folder

_PROGRAM = ".x"


def held_below(root: Path) -> Iterator[Held]:
    """All artifacts below ``root``; a file that is kept as a program too is one, with the bytes of both."""
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        found: dict[str, Held] = {}
        with os.scandir(folder) as files:
            for one in files:
                digest = folder.name + one.name.removesuffix(_PROGRAM)
                if not is_digest(digest):
                    continue
                with contextlib.suppress(FileNotFoundError):
                    status = one.stat(follow_symlinks=False)
                    other = found.get(digest, Held(digest, 0, 0.0))
                    found[digest] = Held(
                        digest, other.size + status.st_size, max(other.put_at, status.st_mtime)
                    )
        yield from found.values()


def remove_below(places: Sequence[Path], put_before: float) -> bool:
    """Remove the files of one artifact unless one of them is younger."""
    ages = []
    for place in places:
        with contextlib.suppress(FileNotFoundError):
            ages.append(place.stat().st_mtime)
    if not ages or max(ages) > put_before:
        return False
    for place in places:
        place.unlink(missing_ok=True)
    return True


def tidy_below(root: Path, before: float) -> None:
    """Remove old temporary files, and laid out folders whose manifest is gone."""
    waste = private_folder(root / "tmp")
    for tree in (root / "trees").glob("*"):
        if not (root / tree.name[:2] / tree.name[2:]).exists() and tree.stat().st_mtime < before:
            with contextlib.suppress(OSError):
                tree.rename(waste / f"{secrets.token_hex(12)}")
    for left in waste.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
