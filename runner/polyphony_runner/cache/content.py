"""The identity of files and folders on the host: what a node that is granted them could read.

The identity of a folder is its git tree id in SHA-256 (``polyphony_schemas.trust.tree``), folders without entries
included. Every byte is read, except where a memo says that a file was hashed before and its size, inode, times of
change and of status change are still the same; a file that had just been changed when it was hashed is never
remembered, since a further change could leave the same times.

Within one process an identity holds for a second, or until ``forget``: a run looks at the same folder for many nodes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from polyphony_runner.cache.errors import NotCacheableError
from polyphony_runner.files import private_folder, write_atomic
from polyphony_runner.grants.safe_files import (
    Entry,
    open_beneath,
    open_resolved_folder,
    opened,
    read_link,
    walk,
)
from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.trust.tree import DIRECTORY, EXECUTABLE, FILE, LINK, tree_of
from polyphony_schemas.values import JsonValue

# File systems keep times by steps of up to two seconds: within one a second change leaves no trace.
_SETTLED_NS = 3_000_000_000
_HELD_SECONDS = 1.0
_BLOCK = 1 << 20
# What an extension's folder may hold beside the extension.
_BESIDE = frozenset({".git", "__pycache__"})

# size, inode, mtime and ctime in nanoseconds, blob id in hexadecimal
_Known = tuple[int, int, int, int, str]


@dataclass(slots=True)
class ContentDigests:
    """Identities of host paths; ``folder`` keeps the memos and may be deleted at any time. Used from any thread."""

    folder: Path
    now: Callable[[], int] = time.time_ns
    _memos: dict[Path, dict[str, _Known]] = field(default_factory=dict)
    _recent: dict[tuple[Path, bool], tuple[float, str]] = field(default_factory=dict)
    _locks: dict[Path, threading.Lock] = field(default_factory=dict)

    def of(self, path: Path) -> str:
        """The identity of a resolved path; NotCacheableError for what cannot be read to its end."""
        return self._held(path, beside=True)

    def of_extension(self, root: Path) -> str:
        """The tree id of an extension's folder, without its repository and what Python compiled."""
        return self._held(root, beside=False)

    def forget(self) -> None:
        """A program has ended: it may have changed any folder. Never waits for a folder that is being read."""
        self._recent = {}

    def _held(self, path: Path, *, beside: bool) -> str:
        with self._locks.setdefault(path, threading.Lock()):
            recent, began = self._recent, time.monotonic()
            known = recent.get((path, beside))
            if known is None or began - known[0] > _HELD_SECONDS:
                identity = self._identity(path.resolve(), frozenset() if beside else _BESIDE)
                # Into the table of the moment it was begun in: when a program ended meanwhile, nobody sees it.
                known = recent[path, beside] = (began, identity)
            return known[1]

    def _identity(self, path: Path, skipped: frozenset[str]) -> str:
        try:
            return self._read(path, skipped)
        except OSError as error:
            raise NotCacheableError(f"{str(path)!r} cannot be read: {error.strerror}") from error
        except NodeError as error:
            raise NotCacheableError(f"{str(path)!r}: {error.message}") from error

    def _read(self, path: Path, skipped: frozenset[str]) -> str:
        before, after = self._memo(path), dict[str, _Known]()
        with opened(open_resolved_folder(path.parent)) as parent:
            members = [
                (entry.path, *self._member(parent, entry, before, after))
                for entry in walk(parent, path.name)
                if not (skipped and skipped.intersection(entry.path.split("/")[1:]))
            ]
        if not members:
            raise NotCacheableError(f"{str(path)!r} is not there")
        if after != before:
            self._memos[path] = after
            self._keep(path, after)
        if members[0][1] != DIRECTORY:
            return f"{members[0][1]}:{members[0][2].hex()}"
        return tree_of_members(
            [(name.partition("/")[2], mode, identity) for name, mode, identity in members[1:]],
            empty=not skipped,
        )

    def _member(
        self, parent: int, entry: Entry, before: dict[str, _Known], after: dict[str, _Known]
    ) -> tuple[str, bytes]:
        match entry.kind:
            case "folder":
                return DIRECTORY, b""
            case "link":
                target = os.fsencode(read_link(parent, entry.path))
                return LINK, hashlib.sha256(b"blob %d\0" % len(target) + target).digest()
            case "file":
                mode = EXECUTABLE if entry.status.st_mode & stat.S_IXUSR else FILE
                return mode, self._file(parent, entry, before, after)
            case _:
                raise NotCacheableError(f"{entry.path!r} is neither file, folder nor link")

    def _file(self, parent: int, entry: Entry, before: dict[str, _Known], after: dict[str, _Known]) -> bytes:
        known = before.get(entry.path)
        if known is not None and known[:4] == _stamp(entry.status):
            after[entry.path] = known
            return bytes.fromhex(known[4])
        with opened(open_beneath(parent, entry.path)) as descriptor:
            status = os.fstat(descriptor)
            hasher = hashlib.sha256(b"blob %d\0" % status.st_size)
            while block := os.read(descriptor, _BLOCK):
                hasher.update(block)
            settled = self.now() - max(status.st_mtime_ns, status.st_ctime_ns) > _SETTLED_NS
            if settled and _stamp(os.fstat(descriptor)) == _stamp(status):
                after[entry.path] = (*_stamp(status), hasher.hexdigest())
        return hasher.digest()

    def _memo(self, path: Path) -> dict[str, _Known]:
        if path not in self._memos:
            self._memos[path] = _read_memo(self._place(path))
        return self._memos[path]

    def _keep(self, path: Path, memo: dict[str, _Known]) -> None:
        rows: JsonValue = {name: list(known) for name, known in memo.items()}
        private_folder(self.folder)
        body = json.dumps(rows, separators=(",", ":")).encode()
        write_atomic(self._place(path), hashlib.sha256(body).hexdigest().encode() + b"\n" + body)

    def _place(self, path: Path) -> Path:
        return self.folder / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:40]}.memo"


def tree_of_members(members: list[tuple[str, str, bytes]], *, empty: bool) -> str:
    """The tree id of ``(path, mode, blob id)``; ``empty`` says whether folders without entries count."""
    root: dict[str, object] = {}
    for path, mode, identity in members:
        here = root
        *folders, name = path.split("/")
        for folder in folders:
            here = cast("dict[str, object]", here.setdefault(folder, {}))
        if mode != DIRECTORY:
            here[name] = (mode, identity)
        elif empty:
            here.setdefault(name, {})
    return _hash(root).hex()


def _hash(folder: dict[str, object]) -> bytes:
    return tree_of(
        (name, DIRECTORY, _hash(cast("dict[str, object]", member)))
        if isinstance(member, dict)
        else (name, *cast("tuple[str, bytes]", member))
        for name, member in folder.items()
    )


def _stamp(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _read_memo(place: Path) -> dict[str, _Known]:
    """What was remembered; nothing when there is nothing, or when it was damaged."""
    try:
        check, _, body = place.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != check:
            return {}
        return {name: tuple(known) for name, known in json.loads(body).items()}
    except (OSError, ValueError):
        return {}
