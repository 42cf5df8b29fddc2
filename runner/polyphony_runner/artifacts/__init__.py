"""Artifacts: bytes and folders that nodes made, kept by content.

A file artifact is named by the SHA-256 of its bytes. A folder artifact is named by the SHA-256 of its manifest
(``artifacts.manifest``), which names its files by digest, so equal files are kept once however often they appear.
"""

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.store import ArtifactStore, FolderArtifacts, Kept

__all__ = ["ArtifactError", "ArtifactStore", "FolderArtifacts", "Kept"]
