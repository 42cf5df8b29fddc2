"""Trees on disk: read one without following a link, write one so that nothing already there is touched."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.files import sync_folder
from polyphony_schemas.trust.tree import Entries, Entry

MAX_FILES = 20_000
MAX_BYTES = 256 * 1024 * 1024


def read_folder(root: Path, *, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> dict[str, Entry]:
    """Read every file and link below ``root`` by path; links are read, never followed.

    Raises ClientError PLY6201 for devices, sockets, empty folders (no tree can hold them), and past the bounds.
    """
    entries: dict[str, Entry] = {}
    total = 0
    for path, found in _walk(root, ""):
        if len(entries) >= max_files:
            raise too_much(root, max_files, max_bytes)
        entry = read_entry(root / path, found.stat(follow_symlinks=False), max_bytes - total)
        if entry is None:
            raise too_much(root, max_files, max_bytes)
        entries[path] = entry
        total += len(entry.data)
    return entries


def too_much(root: Path, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES) -> ClientError:
    """PLY6201: the folder is past the bounds, and nothing more of it is read."""
    return ClientError(
        "PLY6201",
        f"{root} holds more than {max_files} files or {max_bytes >> 20} MiB",
        hint="give the folder of one package, and move what does not belong to it elsewhere",
    )


def read_entry(path: Path, status: os.stat_result, room: int = MAX_BYTES) -> Entry | None:
    """Read one file or link as a tree entry; the executable bit is the owner's. None for more than ``room`` bytes."""
    if stat.S_ISLNK(status.st_mode):
        return Entry("120000", os.fsencode(path.readlink()))
    if not stat.S_ISREG(status.st_mode):
        raise ClientError(
            "PLY6201",
            f"{path} is neither file nor link, a tree cannot hold it",
            hint="remove it from the package",
        )
    if status.st_size > room:
        return None
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as stream:
        data = stream.read(room + 1)
    return None if len(data) > room else Entry("100755" if status.st_mode & 0o100 else "100644", data)


def write_folder(root: Path, entries: Entries) -> None:
    """Write ``entries`` into the new folder ``root``, read-only, and make all of it durable.

    Every file is made anew (``O_EXCL | O_NOFOLLOW``); folders are closed to writing last. All may be read by
    everybody, as a sandbox's user must: what keeps others out is the folder above (0700).
    """
    root.mkdir(mode=0o700)
    folders = [root]
    for path in sorted(entries):
        target = root / path
        _make_parents(root, path, folders)
        entry = entries[path]
        if entry.mode == "120000":
            target.symlink_to(os.fsdecode(entry.data))
        else:
            _write(target, entry)
    for folder in reversed(folders):
        folder.chmod(0o555)
        sync_folder(folder)


def remove_folder(root: Path) -> None:
    """Remove a read-only tree; does nothing when it is not there."""
    if not root.is_dir() or root.is_symlink():
        return
    for here, folders, files in os.walk(root, topdown=True):
        Path(here).chmod(0o700)
        del folders, files
    for here, folders, files in os.walk(root, topdown=False):
        for name in files:
            (Path(here) / name).unlink()
        for name in folders:
            below = Path(here) / name
            if below.is_symlink():
                below.unlink()
            else:
                below.rmdir()
    root.rmdir()


def _walk(root: Path, prefix: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
    empty = True
    with os.scandir(root / prefix if prefix else root) as found:
        for entry in sorted(found, key=lambda one: one.name):
            empty = False
            path = f"{prefix}/{entry.name}" if prefix else entry.name
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(root, path)
            else:
                yield path, entry
    if empty and prefix:
        raise ClientError(
            "PLY6201", f"{root / prefix} is an empty folder, a tree cannot hold it", hint="remove it"
        )


def _make_parents(root: Path, path: str, folders: list[Path]) -> None:
    here = root
    for part in path.split("/")[:-1]:
        here = here / part
        if here not in folders[-1:] and here not in folders:
            here.mkdir(mode=0o700)
            folders.append(here)


def _write(target: Path, entry: Entry) -> None:
    mode = 0o555 if entry.mode == "100755" else 0o444
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(target, flags, mode)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(entry.data)
        stream.flush()
        os.fchmod(stream.fileno(), mode)
        os.fsync(stream.fileno())
