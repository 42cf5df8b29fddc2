"""What a bucket of an S3-compatible server adds to the contract of a store."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from polyphony_runner.artifacts import ArtifactError, FolderArtifacts
from polyphony_runner.artifacts.places import open_store
from polyphony_runner.artifacts.protocol import CollectableStore
from polyphony_runner.artifacts.s3 import S3Artifacts
from support.artifact_folders import tree
from support.s3_server import S3Server


def elsewhere(store: CollectableStore, folder: Path) -> S3Artifacts:
    """The same bucket from a machine that has no copies."""
    assert isinstance(store, S3Artifacts)
    return S3Artifacts(store.bucket, FolderArtifacts(folder))


bucket_only = pytest.mark.parametrize("store", ["s3"], indirect=True)


@bucket_only
def test_another_machine_finds_files_and_folders(store: CollectableStore, tmp_path: Path) -> None:
    kept = store.put_directory(tree(tmp_path / "in"))
    laid_out = elsewhere(store, tmp_path / "other").directory(kept.digest)
    assert os.access(laid_out / "a" / "run.sh", os.X_OK)
    assert elsewhere(store, tmp_path / "third").read(kept.digest)[:12] == b'{"artifact":'
    with pytest.raises(ArtifactError) as refused:
        elsewhere(store, tmp_path / "fourth").read(kept.digest, limit=9)
    assert refused.value.code == "PLY2305"
    with pytest.raises(ArtifactError) as refused:
        elsewhere(store, tmp_path / "fourth").read("1" * 64)
    assert refused.value.code == "PLY2301"


@bucket_only
def test_large_files_travel_in_parts(store: CollectableStore, tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 20
    (tmp_path / "large").write_bytes(data)
    kept = store.put_file(tmp_path / "large")
    assert kept.size == len(data)
    with elsewhere(store, tmp_path / "other").file(kept.digest).open("rb") as stream:
        assert hashlib.file_digest(stream, "sha256").hexdigest() == kept.digest


@bucket_only
def test_reading_brings_back_what_was_moved_aside(store: CollectableStore, tmp_path: Path) -> None:
    later = time.time() + 60
    first, second, third = (store.put_bytes(word).digest for word in (b"one", b"two", b"three"))
    for digest in (first, second, third):
        assert store.remove(digest, put_before=later)
    assert elsewhere(store, tmp_path / "other").read(first) == b"one"
    store.tidy(lambda digest: digest == second, before=later)
    assert {one.digest for one in store.held()} == {first, second}
    assert not store.has(third)


@pytest.mark.parametrize(
    ("place", "code"),
    [("s3://no-such-bucket", "PLY2801"), ("s3:///prefix", "PLY2802"), ("gs://bucket", "PLY2802")],
)
def test_says_what_is_wrong_with_a_bucket(
    place: str, code: str, server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError) as refused:
        open_store(place, tmp_path, server.environ).put_bytes(b"x")
    assert refused.value.code == code


def test_says_that_nobody_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("polyphony_runner.artifacts.bucket._RETRIES", 0)
    environ = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
    }
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError) as refused:
        open_store("s3://bucket", tmp_path, environ).put_bytes(b"x")
    assert refused.value.code == "PLY2800"
