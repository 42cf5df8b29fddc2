"""Artifacts in an S3-compatible bucket, with a folder of this machine in front of it.

```
PREFIX/sha256/ab/cdef…   what was kept        PREFIX/removed/ab/cdef…   what was removed; reading it brings it back
```

What is kept is in the bucket when the call returns; what is read comes from the folder when it is there and sound, else
from the bucket, streamed into the folder and checked on its way. Objects are whole or not there: one request for small
ones, a multipart upload in parallel for large ones. A folder's files are there before the manifest that names them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.artifacts.bucket import Bucket
from polyphony_runner.artifacts.errors import ArtifactError
from polyphony_runner.artifacts.manifest import MAX_BYTES, Entry, decode
from polyphony_runner.artifacts.protocol import Held, Kept
from polyphony_runner.artifacts.store import FolderArtifacts

# For so long an object that was seen in the bucket is not asked for again.
_CONFIRMED_SECONDS = 300.0
# A smaller object is put again without asking first: one request in place of two.
_ASK_BYTES = 64 << 10
_PARALLEL = 8
_MOST_CONFIRMED = 100_000


@dataclass(frozen=True, slots=True)
class S3Artifacts:
    """A ``CollectableStore`` in a bucket; ``local`` is a cache of it, to be deleted at any time."""

    bucket: Bucket
    local: FolderArtifacts
    _confirmed: dict[str, float] = field(default_factory=dict)

    def put_bytes(self, data: bytes) -> Kept:
        """Keep bytes."""
        kept = self.local.put_bytes(data)
        self._upload(kept.digest, kept.size, executable=False)
        return kept

    def put_file(self, path: Path) -> Kept:
        """Keep a regular file."""
        kept = self.local.put_file(path)
        self._upload(kept.digest, kept.size, executable=False)
        return kept

    def put_directory(self, path: Path) -> Kept:
        """Keep every file below ``path``, then the manifest that names them."""
        kept = self.local.put_directory(path)
        manifest = self.local.read(kept.digest)
        _in_parallel(
            lambda entry: self._upload(entry.target, entry.size, executable=entry.kind == "x"),
            _files(decode(manifest)),
        )
        self._upload(kept.digest, len(manifest), executable=False)
        return kept

    def has(self, digest: str) -> bool:
        """Whether the bucket has it."""
        self.local.has(digest)  # refuses what is no digest
        return self.bucket.head(_key(digest)) is not None or self.bucket.head(_removed(digest)) is not None

    def read(self, digest: str, *, limit: int | None = None) -> bytes:
        """The bytes, checked against the digest."""
        if limit is not None and not self.local.has(digest):
            self._check_limit(digest, limit)
        self._fetch(digest)
        return self.local.read(digest, limit=limit)

    def file(self, digest: str) -> Path:
        """A copy on this machine, checked against the digest."""
        return self._fetch(digest)

    def directory(self, digest: str) -> Path:
        """A folder on this machine, its files fetched in parallel."""
        entries = decode(self.read(digest, limit=MAX_BYTES))
        _in_parallel(lambda entry: self._fetch(entry.target, executable=entry.kind == "x"), _files(entries))
        return self.local.directory(digest)

    def held(self) -> Iterator[Held]:
        """Everything in the bucket that was not removed."""
        for path, size, put_at in self.bucket.list("sha256/"):
            yield Held(_digest(path), size, put_at)

    def remove(self, digest: str, *, put_before: float) -> bool:
        """Move an artifact aside: whoever reads it before ``tidy`` removes it for good brings it back."""
        found = self.bucket.head(_key(digest))
        if found is None or found.put_at > put_before:
            return False
        self.bucket.move(_key(digest), _removed(digest))
        self._confirmed.pop(digest, None)
        return True

    def tidy(self, kept: Callable[[str], bool], *, before: float) -> None:
        """Remove for good what was moved aside before that moment, and bring back what is wanted after all."""
        gone = []
        for path, _, moved in self.bucket.list("removed/"):
            if kept(_digest(path)):
                self.bucket.move(path, _key(_digest(path)))
            elif moved < before:
                gone.append(path)
        self.bucket.delete(gone)
        for one in self.local.held():
            if not kept(one.digest):
                self.local.remove(one.digest, put_before=before)
        self.local.tidy(kept, before=before)

    def _upload(self, digest: str, size: int, *, executable: bool) -> None:
        if time.monotonic() - self._confirmed.get(digest, -_CONFIRMED_SECONDS) < _CONFIRMED_SECONDS:
            return
        if size <= _ASK_BYTES or self.bucket.head(_key(digest)) is None:
            self.bucket.put(_key(digest), self.local.checked(digest, executable=executable))
        if len(self._confirmed) >= _MOST_CONFIRMED:
            self._confirmed.clear()
        self._confirmed[digest] = time.monotonic()

    def _fetch(self, digest: str, *, executable: bool = False) -> Path:
        """The local copy; brought from the bucket when there is none that is sound. PLY2301 when nobody has it."""
        try:
            return self.local.used(digest, executable=executable)
        except ArtifactError as error:
            if error.code not in ("PLY2301", "PLY2302"):
                raise
            self.local.forget(digest)  # refuses what is no digest
        blocks = self.bucket.get(_key(digest)) or self._restored(digest)
        if blocks is None:
            raise ArtifactError(
                "PLY2301",
                f"no artifact {digest!r} in {self.bucket.place}",
                hint="polyphony artifacts list RUN names what a run produced",
            )
        return self.local.adopt(digest, blocks, executable=executable)

    def _restored(self, digest: str) -> Iterable[bytes] | None:
        """The bytes of an artifact that was moved aside, which is in its place again."""
        if self.bucket.head(_removed(digest)) is None:
            return None
        self.bucket.move(_removed(digest), _key(digest))
        return self.bucket.get(_key(digest))

    def _check_limit(self, digest: str, limit: int) -> None:
        found = self.bucket.head(_key(digest))
        if found is not None and found.size > limit:
            raise ArtifactError(
                "PLY2305", f"the artifact {digest!r} has {found.size} bytes, the limit is {limit}"
            )


def _key(digest: str) -> str:
    return f"sha256/{digest[:2]}/{digest[2:]}"


def _removed(digest: str) -> str:
    return f"removed/{digest[:2]}/{digest[2:]}"


def _digest(key: str) -> str:
    return "".join(key.split("/")[-2:])


def _in_parallel(work: Callable[[Entry], object], entries: list[Entry]) -> None:
    """Do it for every entry, a few at a time; the first error is raised."""
    with ThreadPoolExecutor(_PARALLEL) as pool:
        for done in [pool.submit(work, entry) for entry in entries]:
            done.result()


def _files(entries: list[Entry]) -> list[Entry]:
    return [entry for entry in entries if entry.kind in ("f", "x")]
