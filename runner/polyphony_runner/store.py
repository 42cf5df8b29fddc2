"""The store: every verified tree once, by its id, read-only. A Protocol, and the folder of one machine.

```
store/<tree>/                 the files of the package, as signed
store/<tree>.graph.json       the compiled graph of a melody, so that running it reads no YAML
store/<tree>.proof.json       what was verified at install (evidence.py), for checking again offline
store/.writing  .placing      locks; any other name with a dot is being written, or was by a writer that is dead
```

A tree appears by one rename, after it was written anew, made durable and hashed again from the disk (step 8 of
the verification, PLY5801 and PLY5802). Nothing in the store is trusted for being there: a run hashes the files
it will mount (PLY5902).
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from polyphony_runner.errors import ClientError
from polyphony_runner.files import exclusive, shared, sync_folder, write_atomic
from polyphony_runner.folders import read_folder, remove_folder, write_folder
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.tree import Entries, tree_id
from polyphony_schemas.values import TreeId

_TREE = re.compile(r"[0-9a-f]{64}")
_PARTS = ("graph", "proof")
_WRITING, _PLACING = ".writing", ".placing"


class PackageStore(Protocol):
    """Verified package trees by id, each with the documents ``graph`` and ``proof`` that belong to it.

    Contract: what was added is durable when the call returns, and read-only; a reader sees all of it or nothing,
    also when its writer was killed, and what such a writer left is removed by the next one that is alone; any
    number of processes and threads may read and write at the same time. Bytes that are not the ones of the id are never
    added (PLY5802), and never said to be verified (PLY5902). A name that is no tree id is PLY6202.
    """

    def path(self, tree: TreeId) -> Path:
        """The folder on this machine where a tree lies, or would lie."""
        ...

    def has(self, tree: TreeId) -> bool:
        """Whether the tree is there; says nothing about its bytes."""
        ...

    def trees(self) -> list[TreeId]:
        """The ids of all trees, sorted."""
        ...

    def add(self, tree: TreeId, entries: Entries, beside: Mapping[str, bytes] | None = None) -> Path:
        """Step 8: write verified ``entries`` and hash what was written; gives the folder of the tree.

        ``beside`` holds documents that belong to it. A tree that is there and whole is kept as it is; one that is
        there and differs is replaced. Raises TrustError PLY5801 (could not be written safely) and PLY5802 (the
        disk gives back other bytes); then nothing was added.
        """
        ...

    def recompute(self, tree: TreeId) -> TreeId | None:
        """The id of what lies at the tree's place now; None when it is no tree at all."""
        ...

    def verify(self, tree: TreeId) -> Path:
        """Check that the files are the ones of the id, and give their folder.

        Raises TrustError PLY5902 when they are not, ClientError PLY6203 when there are none.
        """
        ...

    def read_beside(self, tree: TreeId, name: str) -> bytes | None:
        """A document that belongs to a tree, or None."""
        ...

    def write_beside(self, tree: TreeId, name: str, data: bytes) -> None:
        """Put or replace a document that belongs to a tree. TrustError PLY5801 as for ``add``."""
        ...

    def remove(self, tree: TreeId) -> None:
        """Forget a tree and what belongs to it; does nothing when it is not there."""
        ...


class FolderStore:
    """Trees in one folder of this machine."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, tree: TreeId) -> Path:
        """Where a tree lies, or would lie."""
        if not _TREE.fullmatch(tree):
            raise ClientError("PLY6202", f"{tree!r} is no tree id, expected 64 hexadecimal digits")
        return self.root / tree

    def has(self, tree: TreeId) -> bool:
        """Whether the tree is there."""
        return self.path(tree).is_dir()

    def trees(self) -> list[TreeId]:
        """The ids of all trees."""
        if not self.root.is_dir():
            return []
        return sorted(TreeId(one.name) for one in self.root.iterdir() if _TREE.fullmatch(one.name))

    def add(self, tree: TreeId, entries: Entries, beside: Mapping[str, bytes] | None = None) -> Path:
        """Write ``entries`` anew, hash them, rename them to their place."""
        target = self.path(tree)
        with self._writing(target):
            if not self._is_whole(tree):
                self._place(tree, target, entries)
            for name, data in (beside or {}).items():
                write_atomic(self.beside(tree, name), data)
        return target

    def recompute(self, tree: TreeId) -> TreeId | None:
        """The id of what lies at the tree's place now."""
        try:
            return tree_id(read_folder(self.path(tree)))
        except (OSError, ClientError, ValueError):
            return None

    def verify(self, tree: TreeId) -> Path:
        """Hash the files of a tree, and give their folder."""
        path = self.path(tree)
        if not path.is_dir():
            raise ClientError(
                "PLY6203",
                f"the tree {tree[:12]} is locked, but not in the store",
                hint="polyphony install fetches what the lock names",
            )
        found = self.recompute(tree)
        if found != tree:
            raise TrustError(
                "PLY5902",
                f"the files in {path} have the tree id {(found or 'none')[:12]}, the lock says {tree[:12]}",
                step=8,
                hint="somebody changed the store; polyphony install fetches the package again",
                details={"tree": tree, "found": found},
            )
        return path

    def beside(self, tree: TreeId, name: str) -> Path:
        """The file of a document that belongs to a tree."""
        if name not in _PARTS:
            raise ValueError(f"unknown part {name!r} of a store, expected one of {_PARTS}")
        return self.root / f"{self.path(tree).name}.{name}.json"

    def read_beside(self, tree: TreeId, name: str) -> bytes | None:
        """The bytes of a document, or None."""
        try:
            return self.beside(tree, name).read_bytes()
        except FileNotFoundError:
            return None

    def write_beside(self, tree: TreeId, name: str, data: bytes) -> None:
        """Put or replace a document."""
        target = self.beside(tree, name)
        with self._writing(target):
            write_atomic(target, data)

    def remove(self, tree: TreeId) -> None:
        """Forget a tree and its documents."""
        target = self.path(tree)
        with self._writing(target):
            for name in _PARTS:
                self.beside(tree, name).unlink(missing_ok=True)
            with exclusive(self.root / _PLACING):
                old = self._put_away(target)
            remove_folder(old)

    def _is_whole(self, tree: TreeId) -> bool:
        return self.has(tree) and self.recompute(tree) == tree

    def _place(self, tree: TreeId, target: Path, entries: Entries) -> None:
        new = self.root / f".new-{secrets.token_hex(8)}"
        try:
            _write_checked(new, tree, entries)
            with exclusive(self.root / _PLACING):
                if self._is_whole(tree):
                    return  # another writer put it there meanwhile, and somebody may be reading it
                old = self._put_away(target)
                new.rename(target)
                sync_folder(self.root)
            remove_folder(old)
        finally:
            remove_folder(new)

    def _put_away(self, target: Path) -> Path:
        """Take what lies at a tree's place out of sight by one rename; gives where it is now."""
        old = self.root / f".old-{secrets.token_hex(8)}"
        if target.exists():
            target.rename(old)
        return old

    @contextlib.contextmanager
    def _writing(self, target: Path) -> Iterator[None]:
        """Together with other writers; the first of them removes what dead ones left."""
        try:
            with shared(self.root / _WRITING, self._sweep):
                yield
        except OSError as error:
            raise _unsafe(target, error) from error

    def _sweep(self) -> None:
        for left in self.root.glob(".*"):
            if left.is_dir() and not left.is_symlink():
                remove_folder(left)
            elif left.name not in (_WRITING, _PLACING):
                left.unlink()


def _write_checked(new: Path, tree: TreeId, entries: Entries) -> None:
    write_folder(new, entries)
    found = tree_id(read_folder(new))
    if found != tree:
        raise TrustError(
            "PLY5802",
            f"the disk gave back the tree {found[:12]}, written was {tree[:12]}",
            step=8,
            hint="check the disk that holds the store",
        )


def _unsafe(target: Path, error: OSError) -> TrustError:
    return TrustError(
        "PLY5801",
        f"{target} could not be written safely: {error.strerror or error}",
        step=8,
        hint="check that the home folder is yours alone and has space left",
    )
