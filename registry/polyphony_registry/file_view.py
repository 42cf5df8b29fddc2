"""Published files, in front of Flask: GET and HEAD of index lines, tiles, archives and bundles.

Small files are kept in memory (least recently used go first) and are read again when ``(mtime_ns, size, inode)``
changed; large ones that never change are sent by the server. Everything has an ETag; 304 when the client has it.
The same folder can be served by nginx or a CDN instead.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

_SMALL = 64 * 1024
_KEPT = 4096
_FOREVER = "public, max-age=31536000, immutable"
_MINUTE = "public, max-age=60"
_SECONDS = "public, max-age=5"

# first part of the path -> (media type, caching)
_KINDS: dict[str, tuple[str, str]] = {
    "index": ("application/jsonl; charset=utf-8", _MINUTE),
    "namespace": ("application/jsonl; charset=utf-8", _MINUTE),
    "changes.jsonl": ("application/jsonl; charset=utf-8", _MINUTE),
    "archive": ("application/gzip", _FOREVER),
    "bundle": ("application/json", _FOREVER),
}
_LOG_KINDS: dict[str, tuple[str, str]] = {
    "checkpoint": ("text/plain; charset=utf-8", _SECONDS),
    "key": ("text/plain; charset=utf-8", _MINUTE),
    "tile": ("application/octet-stream", _FOREVER),
}


@dataclass(frozen=True, slots=True)
class _File:
    """A file as it was at its last look: signature, headers, and the bytes of one that is kept."""

    signature: tuple[int, int, int]
    etag: str
    headers: list[tuple[str, str]]
    data: bytes


@dataclass(frozen=True, slots=True)
class FileAnswer:
    """Status, headers, and the bytes; of a large file that never changes its path."""

    status: int
    headers: list[tuple[str, str]]
    data: bytes | Path


class FileView:
    """Answers for published files; everything else is None. Threads may share one."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._lock = threading.Lock()

    def answer(self, path: str, method: str, if_none_match: str | None = None) -> FileAnswer | None:
        """The answer to GET or HEAD of a decoded path."""
        kind = kind_of(path)
        if kind is None:
            return None
        try:
            file = self._look(path, kind)
        except (OSError, ValueError):
            return None
        if _matches(if_none_match, file.etag):
            return FileAnswer(304, file.headers[:2], b"")
        if method == "HEAD":
            return FileAnswer(200, file.headers, b"")
        large = file.signature[1] > _SMALL and kind[1] == _FOREVER
        return FileAnswer(200, file.headers, Path(self._root + path) if large else file.data)

    def _look(self, path: str, kind: tuple[str, str]) -> _File:
        found = os.stat(self._root + path)  # noqa: PTH116  # twice as fast as Path.stat in the hottest place
        signature = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            known = self._files.get(path)
            if known is not None and known.signature == signature:
                self._files.move_to_end(path)
                return known
        if not stat.S_ISREG(found.st_mode):
            raise FileNotFoundError(path)
        file = self._read(path, kind, signature)
        if file.signature[1] > _SMALL:
            return file
        with self._lock:
            self._files[path] = file
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        return file

    def _read(self, path: str, kind: tuple[str, str], signature: tuple[int, int, int]) -> _File:
        modified, size, inode = signature
        etag = f'"{modified:x}-{size:x}-{inode:x}"'
        data = b""
        if size <= _SMALL or kind[1] != _FOREVER:
            with Path(self._root + path).open("rb") as file:
                data = file.read()
                found = os.fstat(file.fileno())
            if (found.st_mtime_ns, len(data), found.st_ino) != signature:
                return self._read(path, kind, (found.st_mtime_ns, found.st_size, found.st_ino))
        headers = [
            ("etag", etag),
            ("cache-control", kind[1]),
            ("content-type", kind[0]),
            ("content-length", str(size)),
            ("x-content-type-options", "nosniff"),
        ]
        return _File(signature, etag, headers, data)


def kind_of(path: str) -> tuple[str, str] | None:
    """Media type and caching of a published path, or None. Paths with dot segments are nobody's."""
    if not path.startswith("/") or "/." in path or "\0" in path or "//" in path:
        return None
    first, _, rest = path[1:].partition("/")
    if first == "log":
        return _LOG_KINDS.get(rest.partition("/")[0])
    return _KINDS.get(first)


def _matches(header: str | None, etag: str) -> bool:
    if header is None:
        return False
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))
