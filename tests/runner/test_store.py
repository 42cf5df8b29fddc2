"""The store keeps trees by id, read-only, and notices every change."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.folders import read_folder
from polyphony_runner.store import Store
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.tree import Entry, tree_id
from polyphony_schemas.values import TreeId

ENTRIES = {
    "melody.yaml": Entry("100644", b"melody: v1\n"),
    "bin/run": Entry("100755", b"#!/bin/sh\n"),
    "bin/deep/er": Entry("100644", b"x"),
    "link": Entry("120000", b"bin/run"),
}
TREE = tree_id(ENTRIES)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_keeps_a_tree_read_only_under_its_id(store: Store) -> None:
    path = store.add(TREE, ENTRIES, {"graph": b"{}"})
    assert path == store.root / TREE
    assert read_folder(path) == ENTRIES
    assert store.read_beside(TREE, "graph") == b"{}"
    for here in path.rglob("*"):
        if not here.is_symlink():
            assert not here.stat().st_mode & 0o222, here
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    assert store.trees() == [TREE]
    assert store.verify(TREE) == path


def test_adding_twice_keeps_the_first(store: Store) -> None:
    inode = store.add(TREE, ENTRIES).stat().st_ino
    assert store.add(TREE, ENTRIES).stat().st_ino == inode
    assert sorted(one.name for one in store.root.iterdir()) == [TREE]


def _flip(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"Melody: v1\n")


def _extra(path: Path) -> None:
    path.parent.chmod(0o755)
    (path.parent / "more").write_bytes(b"")


def _mode(path: Path) -> None:
    path.chmod(0o555)


def _link(path: Path) -> None:
    path.parent.chmod(0o755)
    path.unlink()
    path.symlink_to("/etc/passwd")


def _gone(path: Path) -> None:
    path.parent.chmod(0o755)
    path.unlink()


@pytest.mark.parametrize("change", [_flip, _extra, _mode, _link, _gone])
def test_a_changed_store_is_refused_and_mended_by_adding_again(store: Store, change: object) -> None:
    path = store.add(TREE, ENTRIES)
    assert callable(change)
    change(path / "melody.yaml")
    with pytest.raises(TrustError) as caught:
        store.verify(TREE)
    assert caught.value.code == "PLY5902"
    assert caught.value.hint
    store.add(TREE, ENTRIES)
    assert store.verify(TREE) == path
    assert sorted(one.name for one in store.root.iterdir()) == [TREE]


def test_what_is_not_there_says_install(store: Store) -> None:
    with pytest.raises(ClientError) as caught:
        store.verify(TREE)
    assert caught.value.code == "PLY6203"
    assert "install" in caught.value.hint


def test_refuses_bytes_that_do_not_hash_to_the_id(store: Store) -> None:
    with pytest.raises(TrustError) as caught:
        store.add(TREE, {**ENTRIES, "melody.yaml": Entry("100644", b"other")})
    assert (caught.value.code, caught.value.step) == ("PLY5802", 8)
    assert list(store.root.iterdir()) == []


def test_writes_through_no_link(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(TrustError) as caught:
        entries = {"a": Entry("120000", os.fsencode(str(outside))), "a/b": Entry("100644", b"x")}
        store.add(TREE, entries)
    assert caught.value.code == "PLY5801"
    assert list(outside.iterdir()) == []
    assert list(store.root.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "abc", TREE.upper(), TREE + "0", TREE + "\n"])
def test_refuses_names_that_are_no_tree_ids(store: Store, name: str) -> None:
    with pytest.raises(ClientError):
        store.path(TreeId(name))


def test_removes_a_tree_and_what_lies_beside_it(store: Store) -> None:
    store.add(TREE, ENTRIES, {"graph": b"{}", "proof": b"{}"})
    store.remove(TREE)
    assert list(store.root.iterdir()) == []
