"""Where artifacts are kept: a Protocol, and the folder of one machine.

```
artifacts/ab/cdef…      file with this SHA-256, 0444          artifacts/trees/<digest>/   a folder, laid out once
artifacts/ab/cdef….x    the same bytes as a program, 0555     artifacts/tmp/              what is being written
```
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_BYTES, decode, encode, is_digest
from polyphony_runner.artifacts.reading import open_regular, walk
from polyphony_runner.files import private_folder, sync_all
from polyphony_schemas.values import Digest

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Kept:
    """What was kept: its digest, and its size in bytes (of a folder: of all its files)."""

    digest: Digest
    size: int


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


class FolderArtifacts:
    """Artifacts in one folder of this machine, shared by all runs and processes of a home."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_bytes(self, data: bytes) -> Kept:
        """Keep bytes."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._place(digest).exists():
            return self._keep(io.BytesIO(data), executable=False)
        return Kept(Digest(digest), len(data))

    def put_file(self, path: Path) -> Kept:
        """Keep a regular file, never following a link."""
        with open_regular(path) as stream:
            return self._keep(stream, executable=False)

    def put_directory(self, path: Path) -> Kept:
        """Keep every file below ``path`` and the manifest that names them."""
        written: dict[Path, Path] = {}

        def keep(stream: BinaryIO, executable: bool) -> tuple[str, int]:
            kept = self._write(stream, written, executable=executable)
            return kept.digest, kept.size

        try:
            entries = walk(path, keep)
            self._publish(written)
        finally:
            _remove(written)
        manifest = encode(entries)
        if len(manifest) > MAX_BYTES:
            raise ArtifactError("PLY2304", f"a manifest of {len(manifest)} bytes, the limit is {MAX_BYTES}")
        return Kept(self.put_bytes(manifest).digest, sum(entry.size for entry in entries))

    def has(self, digest: str) -> bool:
        """Whether the artifact is here."""
        return self._place(digest).exists()

    def read(self, digest: str, *, limit: int | None = None) -> bytes:
        """The bytes, checked against the digest."""
        path = self._existing(digest)
        size = path.stat().st_size
        if limit is not None and size > limit:
            raise ArtifactError("PLY2305", f"the artifact {digest!r} has {size} bytes, the limit is {limit}")
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._damaged(digest)
        return data

    def file(self, digest: str) -> Path:
        """The file itself, checked against the digest."""
        path = self._existing(digest)
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise self._damaged(digest)
        return path

    def directory(self, digest: str) -> Path:
        """The folder, laid out once by hard links to its files."""
        place = self._root / "trees" / digest
        if not place.is_dir():
            entries = decode(self.read(digest, limit=MAX_BYTES))
            temporary = self._temporary()
            temporary.mkdir(mode=0o755)
            try:
                for entry in entries:
                    target = temporary / entry.path
                    target.parent.mkdir(parents=True, exist_ok=True)
                    if entry.kind == "d":
                        target.mkdir()
                    elif entry.kind == "l":
                        target.symlink_to(entry.target)
                    else:
                        os.link(self._checked(entry.target, executable=entry.kind == "x"), target)
                private_folder(place.parent)
                with contextlib.suppress(OSError):  # another process was faster: same content
                    temporary.rename(place)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return place

    def _place(self, digest: str, *, executable: bool = False) -> Path:
        if not is_digest(digest):
            raise ArtifactError(
                "PLY2301",
                f"{digest!r} is no digest, expected 64 hexadecimal digits",
                hint="polyphony artifacts list RUN shows them",
            )
        return self._root / digest[:2] / (digest[2:] + (".x" if executable else ""))

    def _existing(self, digest: str, *, executable: bool = False) -> Path:
        path = self._place(digest, executable=executable)
        if not path.exists():
            raise ArtifactError(
                "PLY2301",
                f"no artifact {digest!r} in this home",
                hint="polyphony artifacts list RUN names what a run produced",
            )
        return path

    def _checked(self, digest: str, *, executable: bool) -> Path:
        path = self._existing(digest, executable=executable)
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise self._damaged(digest)
        return path

    def _temporary(self) -> Path:
        return private_folder(self._root / "tmp") / secrets.token_hex(12)

    def _keep(self, stream: BinaryIO, *, executable: bool) -> Kept:
        written: dict[Path, Path] = {}
        try:
            kept = self._write(stream, written, executable=executable)
            self._publish(written)
        finally:
            _remove(written)
        return kept

    def _write(self, stream: BinaryIO, written: dict[Path, Path], *, executable: bool) -> Kept:
        """Write a file that has no name yet; ``written`` gets its place and where it lies until then."""
        temporary = self._temporary()
        hasher, size = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                while block := stream.read(_BLOCK):
                    hasher.update(block)
                    size += len(block)
                    out.write(block)
                os.fchmod(out.fileno(), 0o555 if executable else 0o444)
            digest = Digest(hasher.hexdigest())
            place = self._place(digest, executable=executable)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if place in written or place.exists():
            temporary.unlink()
        else:
            written[place] = temporary
        return Kept(digest, size)

    def _publish(self, written: Mapping[Path, Path]) -> None:
        """Give files their names once their bytes are on the disk: a name never stands for less than its content."""
        sync_all(list(written.values()))
        for place, temporary in written.items():
            private_folder(place.parent)
            temporary.rename(place)
        sync_all(sorted({place.parent for place in written}))

    @staticmethod
    def _damaged(digest: str) -> ArtifactError:
        return ArtifactError(
            "PLY2302",
            f"the artifact {digest!r} no longer has the bytes it was named for",
            hint="delete it and run the node again; check the disk",
        )


def _remove(written: Mapping[Path, Path]) -> None:
    for temporary in written.values():
        temporary.unlink(missing_ok=True)


def digests(root: Path) -> Iterator[str]:
    """All file artifacts and manifests kept below ``root``."""
    for folder in sorted(root.glob("[0-9a-f][0-9a-f]")):
        for path in sorted(folder.iterdir()):
            if not path.name.endswith(".x"):
                yield folder.name + path.name
