"""Writing an artifact out of the store, for a person."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import decode
from polyphony_runner.artifacts.store import ArtifactStore

_MANIFEST_START = b'{"artifact":"directory"'


def export(store: ArtifactStore, digest: str, target: Path) -> int:
    """Copy a file or folder artifact to ``target``; gives the bytes written.

    PLY2306 where something else lies there: a file may be replaced by a file, whole or not at all, nothing else may,
    and no link at ``target`` is followed.
    """
    if not is_folder_artifact(store, digest):
        with store.file(digest).open("rb") as stream:
            write_file(stream, target)
        return target.stat().st_size
    if os.path.lexists(target):
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


def is_folder_artifact(store: ArtifactStore, digest: str) -> bool:
    """Whether a digest names a folder's manifest."""
    with store.file(digest).open("rb") as stream:
        return stream.read(len(_MANIFEST_START)) == _MANIFEST_START


def write_file(source: BinaryIO, target: Path) -> None:
    """Write a file whole or not at all; PLY2306 when something else than a file lies there, or no folder is around."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(target.lstat().st_mode):
            what = "a folder" if target.is_dir() and not target.is_symlink() else "no regular file"
            raise ArtifactError("PLY2306", f"{str(target)!r} is {what}", hint="name another file with -o")
    if not target.parent.is_dir():
        raise ArtifactError(
            "PLY2306", f"{str(target.parent)!r} is no folder", hint="make it, or name another file with -o"
        )
    temporary = target.with_name(f".{secrets.token_hex(6)}.polyphony")
    try:
        with temporary.open("xb") as writing:
            shutil.copyfileobj(source, writing)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
