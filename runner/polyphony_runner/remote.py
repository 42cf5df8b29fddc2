"""One registry, read: every file of docs/registry.md that a client needs, each under its own limit.

Addresses of the same registry are tried in order when one cannot be reached; what was read is worth nothing until
it is verified, whatever address it came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import quote

from polyphony_runner.errors import TransportError
from polyphony_runner.http import Progress, Transport
from polyphony_runner.registries.binding import Binding
from polyphony_schemas.values import Digest, TreeId

MAX_CHECKPOINT = 64 * 1024
MAX_INDEX = 16 * 1024 * 1024
MAX_PROOF = 64 * 1024
MAX_TILE = 17 * 1024 * 1024
MAX_BUNDLE = 64 * 1024
MAX_ARCHIVE = 64 * 1024 * 1024
# Statuses after which another address of the same registry may know better.
_ELSEWHERE = frozenset({404, 410, 429, 500, 502, 503, 504})


class Source(Protocol):
    """Where the files of a registry come from.

    Contract: gives bytes that nobody has verified, within the limits above; raises TransportError when it cannot.
    A name that is not known has an empty index.
    """

    def checkpoint(self, *, fresh: bool = False) -> bytes:
        """The newest signed checkpoint of the log."""
        ...

    def tile(self, path: str) -> bytes:
        """A file of the log by its path below ``log/``."""
        ...

    def map_proof(self, size: int, name: str) -> bytes:
        """The proof of a name's head in the map under the checkpoint of ``size``."""
        ...

    def index(self, name: str, *, fresh: bool = False) -> bytes:
        """The record history of a package or namespace."""
        ...

    def bundle(self, digest: Digest) -> bytes:
        """A signature bundle by the digest of its bytes."""
        ...

    def archive(self, tree: TreeId, progress: Progress | None = None) -> bytes:
        """The files of a tree, as gzip-compressed tar."""
        ...


class Remote:
    """A registry under its binding. Safe to use from several threads."""

    def __init__(self, binding: Binding, transport: Transport) -> None:
        self.binding = binding
        self.transport = transport

    def checkpoint(self, *, fresh: bool = False) -> bytes:
        """The newest signed checkpoint of the log; ``fresh`` asks caches on the way to look again."""
        return self._read("log/checkpoint", MAX_CHECKPOINT, fresh=fresh)

    def log_key(self) -> bytes:
        """The key that the registry says is its log's, for people to compare."""
        return self._read("log/key", MAX_PROOF)

    def tile(self, path: str) -> bytes:
        """A file of the log by its path below ``log/``."""
        return self._read(f"log/{path}", MAX_TILE)

    def map_proof(self, size: int, name: str) -> bytes:
        """The proof of a name's head in the map under the checkpoint of ``size``."""
        owner, _, package = name.partition("/")
        return self._read(f"log/map/{size}/{quote(owner)}/{quote(package) or '@'}", MAX_PROOF)

    def index(self, name: str, *, fresh: bool = False) -> bytes:
        """The record history of a package, or of a namespace for a name without a slash.

        A name that the registry does not know has an empty history: its map proof has to say so.
        """
        path = f"index/{quote(name)}.jsonl" if "/" in name else f"namespace/{quote(name)}.jsonl"
        try:
            return self._read(path, MAX_INDEX, fresh=fresh)
        except TransportError as error:
            if error.details.get("status") in (404, 410):
                return b""
            raise

    def bundle(self, digest: Digest) -> bytes:
        """A signature bundle by the digest of its bytes."""
        return self._read(f"bundle/{digest}.json", MAX_BUNDLE)

    def archive(self, tree: TreeId, progress: Progress | None = None) -> bytes:
        """The files of a tree, as gzip-compressed tar."""
        return self._read(f"archive/{tree}.tar.gz", MAX_ARCHIVE, progress=progress)

    def api(self, path: str, headers: Mapping[str, str] | None = None, limit: int = MAX_INDEX) -> bytes:
        """An answer of the API by its path below ``api/v1/``."""
        return self._read(f"api/v1/{path}", limit, headers=headers)

    def _read(
        self,
        path: str,
        limit: int,
        *,
        fresh: bool = False,
        progress: Progress | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        asked = {**({"Cache-Control": "no-cache"} if fresh else {}), **(headers or {})}
        failure: TransportError | None = None
        for url in self.binding.urls:
            try:
                return self.transport.get(f"{url}/{path}", limit=limit, headers=asked, progress=progress).body
            except TransportError as error:
                failure = failure or error
                if error.code == "PLY6106" and error.details.get("status") not in _ELSEWHERE:
                    break
        assert failure is not None  # noqa: S101 -- a binding has at least one address
        raise failure
