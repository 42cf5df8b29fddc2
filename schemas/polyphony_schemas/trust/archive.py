"""Package archives: a reproducible ``tar.gz`` of a tree, and the reader that unpacks one into memory only.

Written: members sorted by path, owner and times 0, modes 0644 and 0755, GNU long names, two zero blocks, gzip
without name or time at one fixed level. Read: regular files and symbolic links of just that form. Everything a tree
cannot express (directories, hard links, devices, duplicates, pax headers, bytes after the end) is refused, nothing
touches a disk, no link is followed, and the limits of ``tree_rules`` are counted while bytes stream in.

>>> from polyphony_schemas.trust.tree import Entry
>>> entries = {"a": Entry("100644", b"hello"), "b/run": Entry("100755", b""), "c": Entry("120000", b"a")}
>>> read_archive([pack_archive(entries)]) == entries
True

``FormatError`` PLY5701 for a limit, PLY5011 for anything else. The reader does not judge names: ``tree_rules`` does.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.tree import EXECUTABLE, FILE, LINK, Entries, Entry, encode_name
from polyphony_schemas.trust.tree_rules import (
    MAX_BLOB_BYTES,
    MAX_ENTRIES,
    MAX_PATH_BYTES,
    MAX_TARGET_BYTES,
    MAX_TOTAL_BYTES,
)

MAX_ARCHIVE_BYTES = 34 * 1024 * 1024
_BLOCK = 512
_LEVEL = 6
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_MAGIC = b"ustar  \0"
_LONG_NAME = b"././@LongLink"
_STEP = 64 * 1024


def pack_archive(entries: Entries) -> bytes:
    """Give the archive of a tree; the same tree gives the same bytes."""
    deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
    check, size = 0, 0
    parts = [_GZIP_HEADER]
    for block in _tar(entries):
        check, size = zlib.crc32(block, check), size + len(block)
        parts.append(deflate.compress(block))
    parts += [deflate.flush(), struct.pack("<II", check, size & 0xFFFFFFFF)]
    return b"".join(parts)


def read_archive(chunks: Iterable[bytes]) -> dict[str, Entry]:
    """Read an archive from the chunks of a download; ``FormatError`` PLY5011 or PLY5701."""
    stream = _Inflated(iter(chunks))
    entries: dict[str, Entry] = {}
    total = 0
    while (header := stream.read(_BLOCK)) != bytes(_BLOCK):
        path, entry = _member(header, stream)
        total += len(entry.data)
        if len(entries) >= MAX_ENTRIES:
            raise _limit(f"more than {MAX_ENTRIES} entries")
        if total > MAX_TOTAL_BYTES:
            raise _limit(f"more than {MAX_TOTAL_BYTES} bytes in all")
        if path in entries:
            raise _error(f"the path {path!r} twice")
        entries[path] = entry
    if stream.read(_BLOCK) != bytes(_BLOCK):
        raise _error("one zero block, expected two at the end")
    stream.end()
    return entries


def _tar(entries: Entries) -> Iterator[bytes]:
    for path in sorted(entries, key=encode_name):
        entry, name = entries[path], encode_name(path)
        target = entry.data if entry.mode == LINK else b""
        if len(target) > 100:
            yield from _long(b"K", target)
        if len(name) > 100:
            yield from _long(b"L", name)
        kind = b"2" if entry.mode == LINK else b"0"
        mode = 0o755 if entry.mode == EXECUTABLE else 0o644
        data = b"" if entry.mode == LINK else entry.data
        yield _header(name[:100], mode, len(data), kind, target[:100])
        yield data + bytes(-len(data) % _BLOCK)
    yield bytes(2 * _BLOCK)


def _long(kind: bytes, text: bytes) -> Iterator[bytes]:
    yield _header(_LONG_NAME, 0o644, len(text) + 1, kind, b"")
    yield text + bytes(1 + -(len(text) + 1) % _BLOCK)


def _header(name: bytes, mode: int, size: int, kind: bytes, target: bytes) -> bytes:
    fields = (
        name,
        b"%07o" % mode,
        b"%07o" % 0,
        b"%07o" % 0,
        b"%011o" % size,
        b"%011o" % 0,
        b" " * 8,
        kind,
        target,
    )
    block = struct.pack("<100s8s8s8s12s12s8s1s100s8s247x", *fields, _MAGIC)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]


def _member(header: bytes, stream: _Inflated) -> tuple[str, Entry]:
    long_name: bytes | None = None
    target: bytes | None = None
    while True:
        kind, size = _checked(header)
        if kind == b"L" and long_name is None:
            long_name = _long_text(stream, size, MAX_PATH_BYTES)
        elif kind == b"K" and target is None:
            target = _long_text(stream, size, MAX_TARGET_BYTES)
        else:
            break
        header = stream.read(_BLOCK)
    name = header[:100].rstrip(b"\0") if long_name is None else long_name
    path = name.decode("utf-8", "surrogateescape")
    mode = _octal(header[100:108])
    if kind == b"0" and target is None:
        if mode not in {0o644, 0o755}:
            raise _error(f"{path!r} has the mode {mode:o}, expected 644 or 755")
        if size > MAX_BLOB_BYTES:
            raise _limit(f"{path!r} of {size} bytes, at most {MAX_BLOB_BYTES}")
        return path, Entry(EXECUTABLE if mode == 0o755 else FILE, stream.padded(size))
    if kind == b"2" and not size:
        return path, Entry(LINK, header[157:257].rstrip(b"\0") if target is None else target)
    raise _error(f"{path!r} is a member of type {kind!r}, expected a file or a symbolic link")


def _checked(header: bytes) -> tuple[bytes, int]:
    summed = sum(header[:148]) + 8 * 32 + sum(header[156:])
    if _octal(header[148:156]) != summed or header[257:262] != b"ustar":
        raise _error("a damaged member header")
    return header[156:157], _octal(header[124:136])


def _octal(field_bytes: bytes) -> int:
    digits = field_bytes.strip(b" \0")
    if not digits or digits.strip(b"01234567"):
        raise _error(f"the number {field_bytes!r} in a member header")
    return int(digits, 8)


def _long_text(stream: _Inflated, size: int, longest: int) -> bytes:
    if size > longest + 1:
        raise _limit(f"a name or target of {size - 1} bytes, at most {longest}")
    text = stream.padded(size)
    if not text.endswith(b"\0") or b"\0" in text[:-1]:
        raise _error("a long name that does not end where it says")
    return text[:-1]


@dataclass(slots=True)
class _Inflated:
    """The inflated bytes of a gzip stream, read in exact amounts; holds at most one step more than was asked for."""

    chunks: Iterator[bytes]
    received: int = 0
    buffer: bytearray = field(default_factory=bytearray)
    inflate: zlib._Decompress = field(default_factory=lambda: zlib.decompressobj(31))

    def read(self, count: int) -> bytes:
        while len(self.buffer) < count:
            if self.inflate.eof or not self._fill():
                raise _error("an archive that breaks off")
        data = bytes(self.buffer[:count])
        del self.buffer[:count]
        return data

    def padded(self, size: int) -> bytes:
        data = self.read(size)
        if any(self.read(-size % _BLOCK)):
            raise _error("padding that is not zero")
        return data

    def end(self) -> None:
        while not self.inflate.eof and self._fill():
            if self.buffer:
                break
        if self.buffer or self.inflate.unused_data or not self.inflate.eof or any(self.chunks):
            raise _error("bytes after the end, or an end that is missing")

    def _fill(self) -> bool:
        data = self.inflate.unconsumed_tail
        if not data:
            data = next(self.chunks, b"")
            self.received += len(data)
            if self.received > MAX_ARCHIVE_BYTES:
                raise _limit(f"more than {MAX_ARCHIVE_BYTES} bytes")
        if not data:
            return False
        try:
            self.buffer += self.inflate.decompress(data, _STEP)
        except zlib.error as error:
            raise _error(f"a gzip stream that is damaged ({error})") from None
        return True


def _error(what: str) -> FormatError:
    return FormatError("PLY5011", f"archive: {what}", hint="download it again from another mirror")


def _limit(what: str) -> FormatError:
    return FormatError(
        "PLY5701", f"archive: {what}", hint="a package stays below the limits of docs/trust.md"
    )
