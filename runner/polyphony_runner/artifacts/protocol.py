"""What keeps artifacts: the contract of every store, and what a store that can be cleaned up adds to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from polyphony_schemas.values import Digest


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: its digest, and its size in bytes (of a folder: of all its files)."""

    digest: Digest
    size: int


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that takes room in a store: its digest, its bytes, and when it was last put, in Unix seconds."""

    digest: str
    size: int
    put_at: float


class ArtifactStore(Protocol):
    """Content-addressed bytes and folders.

    Contract: what was kept is durable when the call returns and never changes; keeping the same content twice is
    one artifact; a reader never sees half of one; bytes that no longer fit their digest are never handed out
    (PLY2302); a digest nobody kept is PLY2301.
    """

    def put_bytes(self, data: bytes) -> Kept:
        """Keep bytes."""
        ...

    def put_file(self, path: Path) -> Kept:
        """Keep a regular file; a link or device is refused (PLY2304)."""
        ...

    def put_directory(self, path: Path) -> Kept:
        """Keep a folder; links inside must stay inside, anything but files, folders, links is refused (PLY2304)."""
        ...

    def has(self, digest: str) -> bool:
        """Whether the artifact is here."""
        ...

    def read(self, digest: str, *, limit: int | None = None) -> bytes:
        """The bytes of a file artifact or of a manifest; PLY2305 when there are more than ``limit``."""
        ...

    def file(self, digest: str) -> Path:
        """A read-only file on this machine with these bytes, to be mounted or copied."""
        ...

    def directory(self, digest: str) -> Path:
        """A read-only folder on this machine with this content, to be mounted or copied."""
        ...


class CollectableStore(ArtifactStore, Protocol):
    """A store from which artifacts can be removed again.

    Contract: what is put while it is being removed can still be read afterwards, so that nothing is lost between the
    moment it is put and the moment a journal names it. ``remove`` looks at the age again, at the moment of removing.
    """

    def held(self) -> Iterator[Held]:
        """Everything that takes room."""
        ...

    def remove(self, digest: str, *, put_before: float) -> bool:
        """Remove an artifact, unless it was put after ``put_before`` (Unix seconds); whether it went."""
        ...

    def tidy(self, kept: Callable[[str], bool], *, before: float) -> None:
        """Finish what was removed before that moment, and remove what killed writers left; ``kept``: what is to stay."""
        ...
