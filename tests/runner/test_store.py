"""The contract of package stores (``store.PackageStore``), for every implementation; then how the folder keeps trees."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.files import shared
from polyphony_runner.folders import read_folder
from polyphony_runner.store import FolderStore, PackageStore
from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.tree import Entry, tree_id
from polyphony_schemas.values import TreeId
from support import store_killing
from support.store_killing import ENTRIES, STORES, TREE, damage

OTHERS = {
    tree_id(entries): entries for entries in ({"n": Entry("100644", str(n).encode())} for n in range(8))
}


@pytest.fixture(params=STORES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def store(kind: str, tmp_path: Path) -> PackageStore:
    return STORES[kind](tmp_path / "store")


def names(root: Path) -> list[str]:
    """What lies in the folder of a store, but for its locks."""
    return sorted(one.name for one in root.iterdir() if one.name not in {".writing", ".placing"})


def test_keeps_a_tree_read_only_under_its_id(store: PackageStore) -> None:
    assert not store.has(TREE)
    path = store.add(TREE, ENTRIES, {"graph": b"{}"})
    assert store.has(TREE)
    assert path == store.path(TREE) == store.verify(TREE)
    assert read_folder(path) == ENTRIES
    assert store.trees() == [TREE]
    for here in (path, *path.rglob("*")):
        if not here.is_symlink():
            assert not here.stat().st_mode & 0o222, here


def test_keeps_documents_beside_a_tree(store: PackageStore) -> None:
    store.add(TREE, ENTRIES, {"graph": b"{}"})
    assert (store.read_beside(TREE, "graph"), store.read_beside(TREE, "proof")) == (b"{}", None)
    store.write_beside(TREE, "graph", b"[]")
    store.add(TREE, ENTRIES, {"proof": b"{}"})
    assert (store.read_beside(TREE, "graph"), store.read_beside(TREE, "proof")) == (b"[]", b"{}")
    assert store.trees() == [TREE]


def test_adding_twice_keeps_the_first(store: PackageStore) -> None:
    inode = store.add(TREE, ENTRIES).stat().st_ino
    assert store.add(TREE, ENTRIES).stat().st_ino == inode


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
def test_a_changed_tree_is_refused_and_mended_by_adding_again(
    store: PackageStore, change: Callable[[Path], None]
) -> None:
    path = store.add(TREE, ENTRIES)
    change(path / "melody.yaml")
    assert store.recompute(TREE) != TREE
    with pytest.raises(TrustError) as caught:
        store.verify(TREE)
    assert caught.value.code == "PLY5902"
    assert caught.value.hint
    store.add(TREE, ENTRIES)
    assert store.verify(TREE) == path


def test_what_is_not_there_says_install(store: PackageStore) -> None:
    assert store.recompute(TREE) is None
    assert store.trees() == []
    with pytest.raises(ClientError) as caught:
        store.verify(TREE)
    assert caught.value.code == "PLY6203"
    assert "install" in caught.value.hint


def test_refuses_bytes_that_do_not_hash_to_the_id(store: PackageStore) -> None:
    with pytest.raises(TrustError) as caught:
        store.add(TREE, {**ENTRIES, "melody.yaml": Entry("100644", b"other")}, {"graph": b"{}"})
    assert (caught.value.code, caught.value.step) == ("PLY5802", 8)
    assert store.trees() == []
    assert store.read_beside(TREE, "graph") is None


def test_a_refused_addition_leaves_the_tree_that_was_there(store: PackageStore) -> None:
    store.add(TREE, ENTRIES)
    damage(store)
    with pytest.raises(TrustError):
        store.add(TREE, {"n": Entry("100644", b"other")})
    assert (store.path(TREE) / "melody.yaml").read_bytes() == b"Melody: v1\n"


def test_writes_through_no_link(store: PackageStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    with pytest.raises(TrustError) as caught:
        entries = {"a": Entry("120000", os.fsencode(str(outside))), "a/b": Entry("100644", b"x")}
        store.add(TREE, entries)
    assert caught.value.code == "PLY5801"
    assert list(outside.iterdir()) == []
    assert store.trees() == []


@pytest.mark.parametrize("name", ["..", "abc", TREE.upper(), TREE + "0", TREE + "\n"])
def test_refuses_names_that_are_no_tree_ids(store: PackageStore, name: str) -> None:
    tree = TreeId(name)
    acts: tuple[Callable[[], object], ...] = (
        lambda: store.path(tree),
        lambda: store.has(tree),
        lambda: store.verify(tree),
        lambda: store.add(tree, ENTRIES),
        lambda: store.read_beside(tree, "graph"),
        lambda: store.write_beside(tree, "graph", b""),
        lambda: store.remove(tree),
    )
    for act in acts:
        with pytest.raises(ClientError) as caught:
            act()
        assert caught.value.code == "PLY6202"


def test_removes_a_tree_and_what_lies_beside_it(store: PackageStore) -> None:
    store.add(TREE, ENTRIES, {"graph": b"{}", "proof": b"{}"})
    for _ in range(2):
        store.remove(TREE)
        assert store.trees() == []
        assert store.read_beside(TREE, "graph") is None


def test_any_number_of_writers_at_the_same_time(kind: str, tmp_path: Path) -> None:
    writers = 8
    start = Barrier(writers)

    def write(number: int) -> Path:
        own = STORES[kind](tmp_path / "store")
        start.wait()
        for tree, entries in list(OTHERS.items())[number:] + list(OTHERS.items())[:number]:
            own.add(tree, entries, {"proof": b"{}"})
            own.verify(tree)
        return own.add(TREE, ENTRIES)

    with ThreadPoolExecutor(writers) as pool:
        assert len(set(pool.map(write, range(writers)))) == 1
    store = STORES[kind](tmp_path / "store")
    assert store.trees() == sorted([*OTHERS, TREE])
    for tree in store.trees():
        store.verify(tree)


@pytest.mark.parametrize("before", [(), ("damaged",)])
def test_a_killed_writer_leaves_nothing_half(kind: str, tmp_path: Path, before: tuple[str, ...]) -> None:
    words = [sys.executable, store_killing.__file__, kind, str(tmp_path), *before]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > len(ENTRIES)


def test_the_folder_is_private_and_holds_nothing_else(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "home" / "store")
    store.add(TREE, ENTRIES, {"graph": b"{}"})
    damage(store)
    store.add(TREE, ENTRIES)
    assert names(store.root) == [TREE, f"{TREE}.graph.json"]
    assert stat.S_IMODE(store.root.stat().st_mode) == 0o700
    for entries in (
        {"n": Entry("100644", b"other")},
        {"a": Entry("120000", b"/"), "a/b": Entry("100644", b"")},
    ):
        with pytest.raises(TrustError):
            store.add(TreeId("0" * 64), entries)
    assert names(store.root) == [TREE, f"{TREE}.graph.json"]
    store.remove(TREE)
    assert names(store.root) == []


def test_what_a_living_writer_has_begun_is_left_alone(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    begun = store.root / ".new-of-another"
    with shared(store.root / ".writing", lambda: None):
        begun.mkdir()
        store.add(TREE, ENTRIES)
        assert begun.is_dir()
    store.write_beside(TREE, "graph", b"{}")
    assert not begun.exists()


def test_a_folder_that_cannot_be_made_is_not_safe_to_write(tmp_path: Path) -> None:
    (tmp_path / "store").write_bytes(b"")
    store = FolderStore(tmp_path / "store")
    for act in (lambda: store.add(TREE, ENTRIES), lambda: store.write_beside(TREE, "graph", b"")):
        with pytest.raises(TrustError) as caught:
            act()
        assert caught.value.code == "PLY5801"
