"""Which store a setting names: a folder by its absolute path, or a bucket by ``s3://BUCKET/PREFIX``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from polyphony_runner.artifacts.protocol import CollectableStore
from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.files import private_folder


def open_store(place: str, copies: Path, environ: Mapping[str, str]) -> CollectableStore:
    """Open a store; ``copies`` is the folder of this machine for what comes from a bucket.

    PLY2802, PLY2803 for a bucket that cannot be used, OSError or ValueError for such a folder.
    """
    if "://" in place:
        from polyphony_runner.artifacts.bucket import Bucket
        from polyphony_runner.artifacts.s3 import S3Artifacts

        return S3Artifacts(Bucket(place, environ), FolderArtifacts(copies))
    folder = Path(place)
    if not folder.is_absolute():
        raise ValueError(f"got the relative path {place!r}, expected an absolute one")
    return FolderArtifacts(private_folder(folder))
