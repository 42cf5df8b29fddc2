"""Published files, in front of Flask: GET and HEAD of index lines, tiles, archives and bundles.

A plain WSGI callable. Small files are kept in memory (least recently used go first) and are read again when
``(mtime_ns, size, inode)`` changed; large ones are streamed. Everything has an ETag; 304 when the client has it.
The same folder can be served by nginx or a CDN instead.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SMALL = 64 * 1024
_KEPT = 4096
_PIECE = 256 * 1024
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
    """A file as it was at its last look: signature, headers, and the bytes of a small one."""

    signature: tuple[int, int, int]
    etag: str
    headers: list[tuple[str, str]]
    data: bytes


class FileView:
    """Answers for published files and hands every other request on."""

    def __init__(self, root: Path, application: WSGIApplication) -> None:
        self._root = str(root)
        self._application = application
        self._files: OrderedDict[str, _File] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """WSGI."""
        path = environ["PATH_INFO"]
        kind = kind_of(path)
        if kind is None or environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            return self._application(environ, start_response)
        try:
            file, large = self._open(path, kind)
        except OSError:
            return self._application(environ, start_response)
        known = _matches(environ.get("HTTP_IF_NONE_MATCH"), file.etag)
        if large is not None and (known or environ["REQUEST_METHOD"] == "HEAD"):
            large.close()
        if known:
            start_response("304 Not Modified", file.headers[:2])
            return []
        start_response("200 OK", file.headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return [file.data] if large is None else _Pieces(large)

    def _open(self, path: str, kind: tuple[str, str]) -> tuple[_File, IO[bytes] | None]:
        """The file as it is now; a large one also opened, and surely the one that the headers speak of."""
        while True:
            file = self._look(path, kind)
            if file.signature[1] <= _SMALL:
                return file, None
            large = Path(self._root + path).open("rb")  # noqa: SIM115  # closed by _Pieces or by the caller
            found = os.fstat(large.fileno())
            if (found.st_mtime_ns, found.st_size, found.st_ino) == file.signature:
                return file, large
            large.close()

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
        with self._lock:
            self._files[path] = file
            while len(self._files) > _KEPT:
                self._files.popitem(last=False)
        return file

    def _read(self, path: str, kind: tuple[str, str], signature: tuple[int, int, int]) -> _File:
        modified, size, inode = signature
        etag = f'"{modified:x}-{size:x}-{inode:x}"'
        headers = [
            ("ETag", etag),
            ("Cache-Control", kind[1]),
            ("Content-Type", kind[0]),
            ("Content-Length", str(size)),
            ("X-Content-Type-Options", "nosniff"),
        ]
        data = Path(self._root + path).read_bytes() if size <= _SMALL else b""
        if size <= _SMALL and len(data) != size:
            raise FileNotFoundError(path)  # replaced between the two looks: Flask's view asks again
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


class _Pieces:
    """A file in pieces, closed when the server is done with it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """WSGI: called at the end, also when the client went away."""
        self._file.close()
