"""Opening a bundle that anybody may have written: names from a short list, nothing compressed, every size bounded.

Nothing is unpacked. What is read into memory at once is bounded by ``MOST_DOCUMENT_BYTES`` and, a line of the journal, by
``MOST_LINE_BYTES``; since nothing is compressed, all files together are no larger than the archive.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from polyphony_runner.bundles import layout
from polyphony_runner.bundles.layout import BundleError, Contents
from polyphony_runner.conductor.values import Stored
from polyphony_schemas.values import JsonValue

_END = b"PK\x05\x06"
_END_64 = b"PK\x06\x06"
_TAIL_BYTES = 128 << 10
_ENCRYPTED = 0x1


class BundleFile:
    """A bundle that is open. Close it, or use it in ``with``."""

    def __init__(self, path: Path) -> None:
        """Open the archive and look at its names and sizes; PLY2820 when it is no bundle."""
        self.path = path
        self.size = path.stat().st_size
        _check_directory_size(path, self.size)
        try:
            self._archive = zipfile.ZipFile(path)
        except (
            zipfile.BadZipFile,
            OSError,
            ValueError,
            NotImplementedError,
        ) as error:  # of a format it cannot read
            raise _no_bundle(str(error)) from error
        try:
            self._members = self._read_members()
        except BaseException:
            self._archive.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    @property
    def names(self) -> frozenset[str]:
        """The names of all files."""
        return frozenset(self._members)

    def open(self, name: str) -> IO[bytes]:
        """A file, to be read from its beginning; PLY2820 when the archive is not what its directory says."""
        try:
            return self._archive.open(self._members[name])
        except (zipfile.BadZipFile, OSError, NotImplementedError, RuntimeError) as error:  # packed or locked
            raise _no_bundle(f"{name}: {error}") from error

    def read(self, name: str) -> bytes:
        """A whole document; PLY2820 for one that is too large."""
        if self._members[name].file_size > layout.MOST_DOCUMENT_BYTES:
            raise _no_bundle(f"{name} has {self._members[name].file_size} bytes")
        try:
            with self.open(name) as stream:
                return stream.read()
        except (zipfile.BadZipFile, EOFError) as error:
            raise _no_bundle(f"{name}: {error}") from error

    def digest(self, name: str) -> tuple[str, int]:
        """SHA-256 and bytes of a file; nothing that fits any digest where the archive's own check fails."""
        hasher, size = hashlib.sha256(), 0
        try:
            with self.open(name) as stream:
                while block := stream.read(1 << 20):
                    hasher.update(block)
                    size += len(block)
        except (zipfile.BadZipFile, EOFError):
            return "", -1
        return hasher.hexdigest(), size

    def lines(self) -> Iterator[bytes]:
        """The lines of the journal without their LF; PLY2820 for one that is too long."""
        with self.open(layout.JOURNAL) as stream, io.BufferedReader(stream) as lines:  # type: ignore[type-var]  # a raw stream
            while line := lines.readline(layout.MOST_LINE_BYTES):
                if not line.endswith(b"\n") and len(line) == layout.MOST_LINE_BYTES:
                    raise _no_bundle(
                        f"a line of {layout.JOURNAL} is longer than {layout.MOST_LINE_BYTES} bytes"
                    )
                yield line.removesuffix(b"\n")

    def contents(self) -> Contents:
        """The table of contents; PLY2820 when it is none."""
        try:
            return Contents.decode(self.read(layout.CONTENTS))
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise _no_bundle(f"{layout.CONTENTS}: {error}") from error

    def load(self, stored: Stored) -> JsonValue:
        """A value that lies outside the journal: this is the ``ValueReader`` of a replay."""
        value: JsonValue = json.loads(self.read(layout.artifact_name(stored.digest)))
        return value

    def _read_members(self) -> dict[str, zipfile.ZipInfo]:
        found: dict[str, zipfile.ZipInfo] = {}
        for info in self._archive.infolist():
            if info.filename in found:
                raise _no_bundle(f"{info.filename!r} is there twice")
            if not layout.is_name(info.filename):
                raise _no_bundle(f"a file is called {info.filename[:80]!r}")
            if (
                info.compress_type != zipfile.ZIP_STORED
                or info.compress_size != info.file_size
                or info.flag_bits & _ENCRYPTED
            ):
                raise _no_bundle(f"{info.filename!r} is compressed or encrypted")
            found[info.filename] = info
        if missing := layout.NEEDED - found.keys():
            raise _no_bundle(f"there is no {', '.join(sorted(missing))}")
        if sum(info.file_size for info in found.values()) > self.size:
            raise _no_bundle("its files overlap")
        return found


def is_bundle(path: Path) -> bool:
    """Whether a file looks like a zip archive."""
    with path.open("rb") as stream:
        return stream.read(4) == b"PK\x03\x04"


def _check_directory_size(path: Path, size: int) -> None:
    """The library reads the whole directory of an archive: look first how large that claims to be."""
    with path.open("rb") as stream:
        stream.seek(-min(size, _TAIL_BYTES), os.SEEK_END)
        tail = stream.read()
    end, end_64 = tail.rfind(_END), tail.rfind(_END_64)
    if end < 0 or len(tail) - end < 22:
        raise _no_bundle("it is no zip archive")
    entries = int.from_bytes(tail[end + 10 : end + 12], "little")
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    if end_64 >= 0 and len(tail) - end_64 >= 56:
        entries = int.from_bytes(tail[end_64 + 32 : end_64 + 40], "little")
        length = int.from_bytes(tail[end_64 + 40 : end_64 + 48], "little")
    if entries > layout.MOST_FILES or length > layout.MOST_DIRECTORY_BYTES:
        raise _no_bundle(f"it lists {entries} files in {length} bytes")


def _no_bundle(why: str) -> BundleError:
    return BundleError("PLY2820", f"this is no run bundle: {why}", hint="polyphony export-run RUN writes one")
