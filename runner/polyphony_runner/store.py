"""The store: every verified tree once, by its id, read-only.

```
store/<tree>/                 the files of the package, as signed
store/<tree>.graph.json       the compiled graph of a melody, so that running it reads no YAML
store/<tree>.proof.json       what was verified at install (evidence.py), for checking again offline
```

A tree appears by one rename, after it was written anew, made durable and hashed again from the disk (step 8 of
the verification, PLY5801 and PLY5802). Nothing in the store is trusted for being there: a run hashes the files
it will mount (PLY5902).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder, sync_folder, write_atomic
from polyphony_runner.folders import read_folder, remove_folder, write_folder
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.tree import Entries, tree_id
from polyphony_schemas.values import TreeId

_TREE = re.compile(r"[0-9a-f]{64}")
_PARTS = ("graph", "proof")


class Store:
    """Trees by id in one folder. Any number of processes may use it at the same time."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, tree: TreeId) -> Path:
        """Where a tree lies, or would lie."""
        if not _TREE.fullmatch(tree):
            raise ClientError("PLY6202", f"{tree!r} is no tree id, expected 64 hexadecimal digits")
        return self.root / tree

    def has(self, tree: TreeId) -> bool:
        """Whether the tree is there; says nothing about its bytes."""
        return self.path(tree).is_dir()

    def add(self, tree: TreeId, entries: Entries, beside: Mapping[str, bytes] | None = None) -> Path:
        """Step 8: write verified ``entries``, hash them again, rename to their place; returns the folder.

        ``beside`` holds ``graph`` and ``proof`` documents. A tree that is there and whole is kept; one that is
        there and differs is replaced. Raises TrustError PLY5801 (could not be written safely), PLY5802 (the
        disk gives back other bytes).
        """
        target = self.path(tree)
        private_folder(self.root)
        if not (target.is_dir() and self.recompute(tree) == tree):
            self._place(tree, target, entries)
        for name, data in (beside or {}).items():
            write_atomic(self.beside(tree, name), data)
        return target

    def beside(self, tree: TreeId, name: str) -> Path:
        """The file ``graph`` or ``proof`` that belongs to a tree."""
        if name not in _PARTS:
            raise ValueError(f"unknown part {name!r} of a store, expected one of {_PARTS}")
        return self.root / f"{self.path(tree).name}.{name}.json"

    def read_beside(self, tree: TreeId, name: str) -> bytes | None:
        """The bytes of a file that belongs to a tree, or None."""
        try:
            return self.beside(tree, name).read_bytes()
        except FileNotFoundError:
            return None

    def write_beside(self, tree: TreeId, name: str, data: bytes) -> None:
        """Put or replace a file that belongs to a tree."""
        private_folder(self.root)
        write_atomic(self.beside(tree, name), data)

    def read(self, tree: TreeId) -> dict[str, bytes]:
        """The files of a tree by path; links are left out."""
        return {
            path: entry.data for path, entry in read_folder(self.path(tree)).items() if entry.mode != "120000"
        }

    def recompute(self, tree: TreeId) -> TreeId | None:
        """The id of what lies at the tree's place now; None when it is no tree at all."""
        try:
            return tree_id(read_folder(self.path(tree)))
        except (OSError, ClientError, ValueError):
            return None

    def verify(self, tree: TreeId) -> Path:
        """Check that the files are the ones of the id, and return their folder; TrustError PLY5902 otherwise."""
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

    def remove(self, tree: TreeId) -> None:
        """Forget a tree and what lies beside it."""
        remove_folder(self.path(tree))
        for name in _PARTS:
            self.beside(tree, name).unlink(missing_ok=True)

    def trees(self) -> list[TreeId]:
        """The ids of all trees."""
        if not self.root.is_dir():
            return []
        return sorted(TreeId(one.name) for one in self.root.iterdir() if _TREE.fullmatch(one.name))

    def _place(self, tree: TreeId, target: Path, entries: Entries) -> None:
        new = self.root / f".new-{secrets.token_hex(8)}"
        try:
            _write_checked(new, tree, entries)
            if target.exists():
                target.rename(self.root / f".old-{secrets.token_hex(8)}")
            new.rename(target)
            sync_folder(self.root)
        except FileExistsError as error:
            raise _unsafe(target, error) from error
        except OSError as error:
            if self.has(tree) and self.recompute(tree) == tree:
                return  # another process put the same tree there first
            raise _unsafe(target, error) from error
        finally:
            remove_folder(new)
            self._sweep()

    def _sweep(self) -> None:
        for old in self.root.glob(".old-*"):
            remove_folder(old)


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
