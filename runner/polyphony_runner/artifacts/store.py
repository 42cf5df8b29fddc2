"""Artifacts in the folder of one machine.

```
artifacts/ab/cdef…      file with this SHA-256, 0444          artifacts/trees/<digest>/   a folder, laid out once
artifacts/ab/cdef….x    the same bytes as a program, 0555     artifacts/tmp/              what is being written
artifacts/lock           held by whoever puts something again, or removes something
```

The time of a file is when it was last put: what is young is not removed, named by a journal or not yet.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_BYTES, decode, encode, is_digest
from polyphony_runner.artifacts.protocol import ArtifactStore, Held, Kept
from polyphony_runner.artifacts.reading import open_regular, walk
from polyphony_runner.artifacts.removal import held_below, remove_below, tidy_below
from polyphony_runner.files import exclusive, private_folder, sync_all
from polyphony_schemas.values import Digest

__all__ = ["ArtifactStore", "FolderArtifacts", "Kept"]

_BLOCK = 1 << 20


class FolderArtifacts:
    """Artifacts in one folder of this machine, shared by all runs and processes of a home."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def put_bytes(self, data: bytes) -> Kept:
        """Keep bytes."""
        digest = hashlib.sha256(data).hexdigest()
        if not self._put_again(self._place(digest)):
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
            kept = self._write(_blocks(stream), written, executable=executable)
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
        return self.checked(digest)

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
                        os.link(self.checked(entry.target, executable=entry.kind == "x"), target)
                private_folder(place.parent)
                with contextlib.suppress(OSError):  # another process was faster: same content
                    temporary.rename(place)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        return place

    def adopt(self, digest: str, blocks: Iterable[bytes], *, executable: bool = False) -> Path:
        """Keep bytes that came from elsewhere under the digest they should have; PLY2302 when they have another."""
        written: dict[Path, Path] = {}
        try:
            kept = self._write(blocks, written, executable=executable)
            if kept.digest != digest:
                raise self._damaged(digest)
            self._publish(written)
        finally:
            _remove(written)
        return self._place(digest, executable=executable)

    def forget(self, digest: str) -> None:
        """Remove an artifact at once, where another store has it too."""
        for executable in (False, True):
            self._place(digest, executable=executable).unlink(missing_ok=True)

    def held(self) -> Iterator[Held]:
        """Everything that takes room."""
        return held_below(self._root)

    def remove(self, digest: str, *, put_before: float) -> bool:
        """Remove an artifact that was last put before that moment."""
        places = [self._place(digest, executable=executable) for executable in (False, True)]
        with exclusive(self._lock):
            return remove_below(places, put_before)

    def tidy(self, kept: Callable[[str], bool], *, before: float) -> None:
        """Remove what killed writers left, and folders laid out of what is gone."""
        tidy_below(self._root, before)

    def checked(self, digest: str, *, executable: bool = False) -> Path:
        """The file itself, as a program or not, checked against the digest."""
        path = self._existing(digest, executable=executable)
        with path.open("rb") as stream:
            if hashlib.file_digest(stream, "sha256").hexdigest() != digest:
                raise self._damaged(digest)
        return path

    def used(self, digest: str, *, executable: bool = False) -> Path:
        """As ``checked``, and it counts as put now."""
        self._put_again(self._place(digest, executable=executable))
        return self.checked(digest, executable=executable)

    @property
    def _lock(self) -> Path:
        return self._root / "lock"

    def _put_again(self, place: Path) -> bool:
        """Whether it is here already; it then counts as put now, which keeps it from being removed meanwhile."""
        if not place.exists():
            return False
        with exclusive(self._lock):
            try:
                os.utime(place)
            except OSError:  # removed just now, or somebody else's file: then it is written anew
                return False
        return True

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

    def _temporary(self) -> Path:
        return private_folder(self._root / "tmp") / secrets.token_hex(12)

    def _keep(self, stream: BinaryIO, *, executable: bool) -> Kept:
        written: dict[Path, Path] = {}
        try:
            kept = self._write(_blocks(stream), written, executable=executable)
            self._publish(written)
        finally:
            _remove(written)
        return kept

    def _write(self, blocks: Iterable[bytes], written: dict[Path, Path], *, executable: bool) -> Kept:
        """Write a file that has no name yet; ``written`` gets its place and where it lies until then."""
        temporary = self._temporary()
        hasher, size = hashlib.sha256(), 0
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(temporary, flags, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as out:
                for block in blocks:
                    hasher.update(block)
                    size += len(block)
                    out.write(block)
                os.fchmod(out.fileno(), 0o555 if executable else 0o444)
            digest = Digest(hasher.hexdigest())
            place = self._place(digest, executable=executable)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if place in written or self._put_again(place):
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


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    while block := stream.read(_BLOCK):
        yield block
