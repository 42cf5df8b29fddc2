"""Writing an artifact out of the store, for a person."""

from __future__ import annotations

import shutil
from pathlib import Path

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import decode
from polyphony_runner.artifacts.store import ArtifactStore

_MANIFEST_START = b'{"artifact":"directory"'


def export(store: ArtifactStore, digest: str, target: Path) -> int:
    """Copy a file or folder artifact to ``target``, which must not exist as a folder; gives the bytes written."""
    source = store.file(digest)
    with source.open("rb") as stream:
        folder = stream.read(len(_MANIFEST_START)) == _MANIFEST_START
    if not folder:
        if target.is_dir():
            raise ArtifactError("PLY2306", f"{str(target)!r} is a folder", hint="name the file with -o")
        shutil.copyfile(source, target)
        return target.stat().st_size
    if target.exists():
        raise ArtifactError("PLY2306", f"{str(target)!r} exists", hint="name a new folder with -o")
    entries = decode(store.read(digest))
    laid_out = store.directory(digest)
    target.mkdir(parents=True)
    for entry in entries:
        place = target / entry.path
        place.parent.mkdir(parents=True, exist_ok=True)
        if entry.kind == "d":
            place.mkdir()
        elif entry.kind == "l":
            place.symlink_to(entry.target)
        else:
            shutil.copyfile(laid_out / entry.path, place)
            place.chmod(0o755 if entry.kind == "x" else 0o644)
    return sum(entry.size for entry in entries)
