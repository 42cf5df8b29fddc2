"""Artifacts of this machine, and behind them those of a cluster: what is read is looked for here first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.artifacts.protocol import ArtifactStore, Kept


@dataclass(frozen=True, slots=True)
class LayeredArtifacts:
    """An ``ArtifactStore`` that keeps in ``here`` and also finds what only ``behind`` has."""

    here: ArtifactStore
    behind: ArtifactStore

    def put_bytes(self, data: bytes) -> Kept:
        """Keep bytes here."""
        return self.here.put_bytes(data)

    def put_file(self, path: Path) -> Kept:
        """Keep a regular file here."""
        return self.here.put_file(path)

    def put_directory(self, path: Path) -> Kept:
        """Keep a folder here."""
        return self.here.put_directory(path)

    def has(self, digest: str) -> bool:
        """Whether one of the two has it."""
        return self.here.has(digest) or self.behind.has(digest)

    def read(self, digest: str, *, limit: int | None = None) -> bytes:
        """The bytes, from wherever they are."""
        return self._where(digest).read(digest, limit=limit)

    def file(self, digest: str) -> Path:
        """A file on this machine, from wherever it is."""
        return self._where(digest).file(digest)

    def directory(self, digest: str) -> Path:
        """A folder on this machine, from wherever it is."""
        return self._where(digest).directory(digest)

    def _where(self, digest: str) -> ArtifactStore:
        """The store to ask; the first one refuses what is nowhere."""
        return self.behind if not self.here.has(digest) and self.behind.has(digest) else self.here
