"""The little of git's wire format that the server reads itself, before git starts.

A push body is pkt-lines (four hex digits of length, then bytes), a flush ``0000``, optionally push options and a
second flush, then a pack whose 12-byte header holds ``PACK``, the version and the **object count**. Git has no
setting that bounds the count, so it is read here.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

from polyphony_registry.git.errors import GitError

_CHUNK = 64 * 1024
_MAX_COMMANDS = 64


def packet(text: str) -> bytes:
    """One pkt-line."""
    data = text.encode()
    return b"%04x" % (len(data) + 4) + data


FLUSH = b"0000"


def copy_bounded(source: IO[bytes], target: IO[bytes], limit: int, *, gzipped: bool) -> int:
    """Copy a request body in pieces and return its length; ``limit`` holds before and after gunzip.

    Raises GitError PLY4307 (413) over the limit, PLY4309 for a broken gzip stream.
    """
    written = 0
    for piece in _pieces(_Bounded(source, limit), gzipped=gzipped):
        written += len(piece)
        if written > limit:
            raise _too_large(limit)
        target.write(piece)
    target.seek(0)
    return written


def object_count(body: IO[bytes]) -> int:
    """How many objects the pack of a push announces (0 without a pack). Leaves ``body`` at its start.

    Raises GitError PLY4309 when the request is no push.
    """
    commands = _read_commands(body)
    if any(b"push-options" in line for line in commands[:1]):
        _read_commands(body)
    header = body.read(12)
    body.seek(0)
    if not header:
        return 0
    if len(header) < 12 or header[:4] != b"PACK":
        raise _malformed("no pack after the commands")
    return int.from_bytes(header[8:12], "big")


def _read_commands(body: IO[bytes]) -> list[bytes]:
    lines: list[bytes] = []
    while len(lines) <= _MAX_COMMANDS:
        head = body.read(4)
        if head in (FLUSH, b""):
            return lines
        try:
            length = int(head, 16)
        except ValueError:
            raise _malformed(f"{head!r} is no packet length") from None
        if length < 4:
            raise _malformed(f"a packet of length {length}")
        lines.append(body.read(length - 4))
    raise _malformed(f"more than {_MAX_COMMANDS} refs in one push")


class _Bounded:
    """A reader that stops with an error after ``limit`` bytes."""

    def __init__(self, source: IO[bytes], limit: int) -> None:
        self._source = source
        self._limit = limit
        self._seen = 0

    def read(self, size: int = -1) -> bytes:
        data = self._source.read(min(size, _CHUNK) if size > 0 else _CHUNK)
        self._seen += len(data)
        if self._seen > self._limit:
            raise _too_large(self._limit)
        return data


def _pieces(source: _Bounded, *, gzipped: bool) -> Iterator[bytes]:
    if not gzipped:
        while piece := source.read(_CHUNK):
            yield piece
        return
    reader = zlib.decompressobj(wbits=31)
    try:
        while piece := source.read(_CHUNK):
            yield reader.decompress(piece, _CHUNK)
            while reader.unconsumed_tail:
                yield reader.decompress(reader.unconsumed_tail, _CHUNK)
    except zlib.error as error:
        raise _malformed(f"broken gzip: {error}") from None
    if not reader.eof:
        raise _malformed("the gzip stream ends too early")


def _too_large(limit: int) -> GitError:
    return GitError(
        "PLY4307",
        f"the request is larger than {limit} bytes",
        hint="push fewer or smaller files; large data belongs into artifacts",
        status=413,
    )


def _malformed(what: str) -> GitError:
    return GitError("PLY4309", f"not a git request: {what}", hint="use git itself to push", status=400)
