"""The contract of an artifact store: the folder of a machine, and a bucket of an S3-compatible server."""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from polyphony_runner.artifacts import ArtifactError, FolderArtifacts
from polyphony_runner.artifacts.protocol import CollectableStore
from polyphony_runner.artifacts.s3 import S3Artifacts
from support.artifact_folders import tree


def test_keeps_bytes_under_their_digest(store: CollectableStore) -> None:
    kept = store.put_bytes(b"hello")
    assert (kept.digest, kept.size) == (hashlib.sha256(b"hello").hexdigest(), 5)
    assert store.has(kept.digest)
    assert store.read(kept.digest) == b"hello"
    assert store.file(kept.digest).stat().st_mode & 0o777 == 0o444


def test_the_same_content_is_one_artifact(store: CollectableStore, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"same")
    assert store.put_file(tmp_path / "f") == store.put_bytes(b"same")
    assert [one.size for one in store.held()] == [4]
    assert list((tmp_path / "artifacts" / "tmp").iterdir()) == []


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_what_nobody_kept_is_not_there(store: CollectableStore, digest: str) -> None:
    with pytest.raises(ArtifactError) as refused:
        store.read(digest)
    assert refused.value.code == "PLY2301"


def damage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(b"wrong")


def test_never_hands_out_bytes_that_changed(store: CollectableStore, tmp_path: Path) -> None:
    digest = store.put_bytes(b"right").digest
    damage(store.file(digest))
    if isinstance(store, S3Artifacts):
        assert store.file(digest).read_bytes() == b"right"  # the copy alone was damaged
        (tmp_path / "bad").write_bytes(b"wrong")
        store.bucket.put(f"sha256/{digest[:2]}/{digest[2:]}", tmp_path / "bad")
        damage(store.local.file(digest))
    for read in (store.read, store.file):
        with pytest.raises(ArtifactError) as refused:
            read(digest)
        assert refused.value.code == "PLY2302"


def test_removes_what_is_old_enough(store: CollectableStore) -> None:
    digest = store.put_bytes(b"unwanted").digest
    assert not store.remove(digest, put_before=time.time() - 60)
    assert store.remove(digest, put_before=time.time() + 60)
    assert not store.remove(digest, put_before=time.time() + 60)
    assert list(store.held()) == []
    store.tidy(lambda _: False, before=time.time() + 60)
    assert not store.has(digest)
    with pytest.raises(ArtifactError):
        store.read(digest)


def test_what_is_put_while_it_is_removed_can_be_read(store: CollectableStore, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "file").write_bytes(b"shared")
    kept = store.put_directory(tmp_path / "in")
    digest = store.put_bytes(b"shared").digest
    past = time.time() - 60
    # a folder's files are made old, a bucket's objects count as old
    put_before = past if isinstance(store, FolderArtifacts) else time.time() + 600
    stop = threading.Event()

    def remove() -> None:
        while not stop.is_set():
            for one in (digest, kept.digest):
                store.remove(one, put_before=put_before)
            store.tidy(lambda _: False, before=past)

    thread = threading.Thread(target=remove)
    thread.start()
    try:
        for _ in range(30):
            if isinstance(store, FolderArtifacts):
                with contextlib.suppress(FileNotFoundError):
                    os.utime(tmp_path / "artifacts" / digest[:2] / digest[2:], (1, 1))
            assert store.put_directory(tmp_path / "in") == kept
            assert store.read(digest) == b"shared"
            assert store.read(kept.digest)
    finally:
        stop.set()
        thread.join()


def test_many_put_the_same_at_once(store: CollectableStore, tmp_path: Path) -> None:
    source = tree(tmp_path / "in")
    with ThreadPoolExecutor(4) as pool:
        kept = {one.digest for one in pool.map(store.put_directory, [source] * 8)}
    assert len(kept) == 1
    assert len(list(store.held())) == 3  # two files and the manifest


def test_a_reader_sets_a_limit(store: CollectableStore) -> None:
    with pytest.raises(ArtifactError) as refused:
        store.read(store.put_bytes(b"12345").digest, limit=4)
    assert refused.value.code == "PLY2305"


def test_keeps_a_folder_with_modes_links_and_empty_folders(store: CollectableStore, tmp_path: Path) -> None:
    kept = store.put_directory(tree(tmp_path / "in"))
    laid_out = store.directory(kept.digest)
    assert laid_out == store.directory(kept.digest)
    assert (laid_out / "d.txt").read_text() == "text"
    assert os.access(laid_out / "a" / "run.sh", os.X_OK)
    assert (laid_out / "link").readlink() == Path("a/run.sh")
    assert (laid_out / "empty").is_dir()
    assert (laid_out / "d.txt").stat().st_mode & 0o222 == 0
    assert kept.size == 14


def test_the_digest_of_a_folder_does_not_depend_on_when_or_where(
    store: CollectableStore, tmp_path: Path
) -> None:
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(second / "d.txt", (1, 1))
    assert store.put_directory(first) == store.put_directory(second)


@pytest.mark.parametrize("target", ["d/../d.txt", "/etc/passwd", "../outside", "a/../../outside"])
def test_refuses_links_that_lead_out(store: CollectableStore, tmp_path: Path, target: str) -> None:
    root = tree(tmp_path / "in")
    (root / "bad").symlink_to(target)
    with pytest.raises(ArtifactError) as refused:
        store.put_directory(root)
    assert refused.value.code == "PLY2304"


def test_refuses_what_is_no_file(store: CollectableStore, tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    os.mkfifo(root / "pipe")
    with pytest.raises(ArtifactError, match="neither file"):
        store.put_directory(root)
    (tmp_path / "to").symlink_to(root / "d.txt")
    for path in (root / "pipe", tmp_path / "to", root / "a", tmp_path / "missing"):
        with pytest.raises(ArtifactError):
            store.put_file(path)
