"""The contract of an artifact store, the manifest of folders, and what may not become an artifact."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.artifacts import ArtifactError, FolderArtifacts
from polyphony_runner.artifacts.export import export
from polyphony_runner.artifacts.manifest import Entry, decode, encode


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


def test_keeps_bytes_under_their_digest(store: FolderArtifacts) -> None:
    kept = store.put_bytes(b"hello")
    assert (kept.digest, kept.size) == (hashlib.sha256(b"hello").hexdigest(), 5)
    assert store.has(kept.digest)
    assert store.read(kept.digest) == b"hello"
    assert store.file(kept.digest).stat().st_mode & 0o777 == 0o444


def test_the_same_content_is_one_artifact(store: FolderArtifacts, tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"same")
    assert store.put_file(tmp_path / "f") == store.put_bytes(b"same")
    assert len(list((tmp_path / "artifacts").glob("[0-9a-f][0-9a-f]/*"))) == 1
    assert list((tmp_path / "artifacts" / "tmp").iterdir()) == []


@pytest.mark.parametrize("digest", ["0" * 64, "../../etc/passwd", "", "A" * 64])
def test_what_nobody_kept_is_not_there(store: FolderArtifacts, digest: str) -> None:
    with pytest.raises(ArtifactError) as refused:
        store.read(digest)
    assert refused.value.code == "PLY2301"


def test_never_hands_out_bytes_that_changed(store: FolderArtifacts) -> None:
    digest = store.put_bytes(b"right").digest
    path = store.file(digest)
    path.chmod(0o644)
    path.write_bytes(b"wrong")
    for read in (store.read, store.file):
        with pytest.raises(ArtifactError) as refused:
            read(digest)
        assert refused.value.code == "PLY2302"


def test_a_reader_sets_a_limit(store: FolderArtifacts) -> None:
    with pytest.raises(ArtifactError) as refused:
        store.read(store.put_bytes(b"12345").digest, limit=4)
    assert refused.value.code == "PLY2305"


def tree(root: Path) -> Path:
    (root / "a").mkdir(parents=True)
    (root / "empty").mkdir()
    (root / "a" / "run.sh").write_text("#!/bin/sh\n")
    (root / "a" / "run.sh").chmod(0o755)
    (root / "d.txt").write_text("text")
    (root / "link").symlink_to("a/run.sh")
    return root


def test_keeps_a_folder_with_modes_links_and_empty_folders(store: FolderArtifacts, tmp_path: Path) -> None:
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
    store: FolderArtifacts, tmp_path: Path
) -> None:
    first, second = tree(tmp_path / "one"), tree(tmp_path / "two")
    os.utime(second / "d.txt", (1, 1))
    assert store.put_directory(first) == store.put_directory(second)


@pytest.mark.parametrize("target", ["d/../d.txt", "/etc/passwd", "../outside", "a/../../outside"])
def test_refuses_links_that_lead_out(store: FolderArtifacts, tmp_path: Path, target: str) -> None:
    root = tree(tmp_path / "in")
    (root / "bad").symlink_to(target)
    with pytest.raises(ArtifactError) as refused:
        store.put_directory(root)
    assert refused.value.code == "PLY2304"


def test_refuses_what_is_no_file(store: FolderArtifacts, tmp_path: Path) -> None:
    root = tree(tmp_path / "in")
    os.mkfifo(root / "pipe")
    with pytest.raises(ArtifactError, match="neither file"):
        store.put_directory(root)
    (tmp_path / "to").symlink_to(root / "d.txt")
    for path in (root / "pipe", tmp_path / "to", root / "a", tmp_path / "missing"):
        with pytest.raises(ArtifactError):
            store.put_file(path)


@pytest.mark.parametrize(
    "data",
    [
        b"{}",
        b"[]",
        b'{"artifact":"directory","entries":[["../x","d"]]}',
        b'{"artifact":"directory","entries":[["b","d"],["a","d"]]}',
        b'{"artifact":"directory","entries":[["a","l","/etc"]]}',
        b'{"artifact":"directory","entries":[["a","f","00",1]]}',
        b'{"artifact":"directory", "entries":[]}',
    ],
)
def test_refuses_a_manifest_that_encode_would_not_write(data: bytes) -> None:
    with pytest.raises(ArtifactError):
        decode(data)


NAMES = st.text("abcé.-_", min_size=1, max_size=4).filter(lambda name: name not in (".", ".."))


@given(st.dictionaries(NAMES, st.binary(max_size=8), max_size=6))
def test_a_manifest_comes_back(files: dict[str, bytes]) -> None:
    entries = [Entry(name, "f", hashlib.sha256(data).hexdigest(), len(data)) for name, data in files.items()]
    assert sorted(decode(encode(entries)), key=lambda e: e.path) == sorted(entries, key=lambda e: e.path)


def test_export_writes_files_and_folders(store: FolderArtifacts, tmp_path: Path) -> None:
    kept = store.put_directory(tree(tmp_path / "in"))
    export(store, kept.digest, tmp_path / "out")
    assert (tmp_path / "out" / "a" / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "out" / "d.txt").stat().st_mode & 0o200
    assert export(store, store.put_bytes(b"x").digest, tmp_path / "x") == 1
    with pytest.raises(ArtifactError) as refused:
        export(store, kept.digest, tmp_path / "out")
    assert refused.value.code == "PLY2306"


def test_export_follows_no_link_at_its_target(store: FolderArtifacts, tmp_path: Path) -> None:
    digest = store.put_bytes(b"new").digest
    victim = tmp_path / "victim"
    victim.write_text("old")
    for name, target in (("link", "victim"), ("dangling", "nowhere")):
        (tmp_path / name).symlink_to(target)
        with pytest.raises(ArtifactError) as caught:
            export(store, digest, tmp_path / name)
        assert caught.value.code == "PLY2306"
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", "."):
        with pytest.raises(ArtifactError):
            export(store, digest, tmp_path / name)
    assert victim.read_text() == "old"
    assert not (tmp_path / "nowhere").exists()


def test_export_replaces_a_file_whole(store: FolderArtifacts, tmp_path: Path) -> None:
    target, other = tmp_path / "file", tmp_path / "other"
    target.write_text("older and longer")
    other.hardlink_to(target)
    export(store, store.put_bytes(b"new").digest, target)
    assert target.read_text() == "new"
    assert other.read_text() == "older and longer"
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"file", "other"}


def test_a_folder_artifact_is_not_written_through_a_dangling_link(
    store: FolderArtifacts, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("x")
    kept = store.put_directory(tmp_path / "in")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ArtifactError):
        export(store, kept.digest, tmp_path / "link")
    assert not (tmp_path / "nowhere").exists()
