"""Adds a tree to a store in processes that are killed before every step that changes the disk, one step further each.

    python store_killing.py IMPLEMENTATION FOLDER [damaged]

With ``damaged``, a tree whose bytes were changed lies there each time, to be replaced. Prints the number of kills.
A program of its own, because it forks: the threads of a test process must not be there.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.folders import read_folder
from polyphony_runner.store import FolderStore, PackageStore
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.tree import Entry, tree_id

STORES: dict[str, Callable[[Path], PackageStore]] = {"folder": FolderStore}
ENTRIES = {
    "melody.yaml": Entry("100644", b"melody: v1\n"),
    "bin/run": Entry("100755", b"#!/bin/sh\n"),
    "bin/deep/er": Entry("100644", b"x"),
    "link": Entry("120000", b"bin/run"),
}
TREE = tree_id(ENTRIES)
BESIDE = {"graph": b'{"kept": true}'}


def damage(store: PackageStore) -> None:
    """Change the bytes of a file of the tree."""
    file = store.path(TREE) / "melody.yaml"
    file.chmod(0o644)
    file.write_bytes(b"Melody: v1\n")


def die_at(step: int) -> None:
    """From now on, the step-th sync or rename is never reached."""
    steps = count(1)

    def dying(real: Callable[..., None]) -> Callable[..., None]:
        def act(*words: object, **options: object) -> None:
            if next(steps) == step:
                os.kill(os.getpid(), signal.SIGKILL)
            real(*words, **options)

        return act

    os.fsync, os.rename, os.replace = dying(os.fsync), dying(os.rename), dying(os.replace)


def killed(store: PackageStore, step: int) -> bool:
    """Add the tree in a process that dies at the step; False when it ended before that."""
    child = os.fork()
    if not child:
        die_at(step)
        store.add(TREE, ENTRIES, BESIDE)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert status == 0
    return False


def nothing_half(store: PackageStore, *, damaged: bool) -> None:
    """What a reader sees after a kill: the tree, or none, or the damage that was there before."""
    try:
        assert read_folder(store.verify(TREE)) == ENTRIES
    except ClientError as error:
        assert error.code == "PLY6203", error
        assert store.trees() == []
    except TrustError as error:
        assert damaged, error
        assert error.code == "PLY5902"
    assert store.read_beside(TREE, "graph") in (None, BESIDE["graph"])


def main(name: str, folder: str, damaged: bool) -> int:
    """Kill one step further each time, until an addition ends."""
    for step in count(1):
        root = Path(folder) / str(step)
        store = STORES[name](root)
        if damaged:
            store.add(TREE, ENTRIES)
            damage(store)
        if not killed(store, step):
            print(step - 1)
            return 0
        nothing_half(store, damaged=damaged)
        store.add(TREE, ENTRIES, BESIDE)
        assert store.verify(TREE) == store.path(TREE)
        left = {one.name for one in root.iterdir()} - {TREE, f"{TREE}.graph.json", ".writing", ".placing"}
        assert not left, left
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], "damaged" in sys.argv[3:]))
