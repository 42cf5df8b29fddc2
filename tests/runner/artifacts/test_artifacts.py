"""The manifest of folder artifacts, and writing artifacts out for a person."""

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
from support.artifact_folders import tree


@pytest.fixture
def store(tmp_path: Path) -> FolderArtifacts:
    return FolderArtifacts(tmp_path / "artifacts")


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
    with pytest.raises(ArtifactError, match="is no folder") as refused:
        export(store, store.put_bytes(b"x").digest, tmp_path / "nowhere" / "x")
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
