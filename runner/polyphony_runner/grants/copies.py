"""A private copy of a granted folder or file, and the stamps that tell later what changed on either side."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.grants.safe_files import (
    Entry,
    EntryKind,
    open_beneath,
    open_folder,
    open_resolved_folder,
    opened,
    read_link,
    walk,
)
from polyphony_runner.sandbox.tree import copy_file

# A project of the person's own, not the work of a hostile node: only a guard against copying a whole disk.
MAX_COPIED_ENTRIES = 1_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the host's file was when it was copied."""

    kind: EntryKind
    mode: int
    size: int
    modified: int
    inode: int

    @classmethod
    def of(cls, entry: Entry) -> Stamp:
        """The stamp of one entry; times and sizes of folders say nothing and are left out."""
        status = entry.status
        if entry.kind == "folder":
            return cls("folder", status.st_mode & 0o777, 0, 0, status.st_ino)
        return cls(entry.kind, status.st_mode & 0o777, status.st_size, status.st_mtime_ns, status.st_ino)


@dataclass(frozen=True, slots=True)
class Tree:
    """A folder, file or nothing, as a name in a folder: absent, file and folder are handled alike."""

    parent: Path
    name: str

    def inner(self, path: str) -> str:
        """The path relative to ``parent`` of an entry relative to the tree (``""`` is the tree itself)."""
        return f"{self.name}/{path}" if path else self.name


def copy_tree(source: Tree, target: Tree) -> dict[str, Stamp]:
    """Copy what is at ``source`` to ``target``, sharing blocks where the file system can; links stay links.

    Returns the stamps by path relative to the tree; empty when nothing is there. FIFOs, sockets and devices are
    left out. Times are kept, so that build tools see what they would see on the original.
    """
    stamps: dict[str, Stamp] = {}
    folders: list[tuple[str, Entry]] = []
    with opened(open_resolved_folder(source.parent)) as origin, opened(open_folder(target.parent)) as copy:
        for entry in walk(origin, source.name, max_entries=MAX_COPIED_ENTRIES):
            relative = entry.path[len(source.name) + 1 :]
            destination = target.inner(relative)
            if entry.kind == "other":
                continue
            stamps[relative] = Stamp.of(entry)
            if entry.kind == "folder":
                os.mkdir(destination, 0o700, dir_fd=copy)
                folders.append((destination, entry))
            elif entry.kind == "link":
                os.symlink(read_link(origin, entry.path), destination, dir_fd=copy)
            else:
                _copy_file(origin, entry, copy, destination)
        for destination, entry in reversed(folders):
            with opened(open_beneath(copy, destination, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as made:
                os.fchmod(made, (entry.status.st_mode & 0o777) | 0o700)
                os.utime(made, ns=(entry.status.st_mtime_ns, entry.status.st_mtime_ns))
    return stamps


def _copy_file(origin: int, entry: Entry, copy: int, destination: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with (
        opened(open_beneath(origin, entry.path)) as reading,
        opened(os.open(destination, flags, 0o600, dir_fd=copy)) as writing,
    ):
        copy_file(reading, writing)
        os.fchmod(writing, (entry.status.st_mode & 0o777) | 0o600)
        os.utime(writing, ns=(entry.status.st_mtime_ns, entry.status.st_mtime_ns))
