"""Where results of pure nodes are kept: a Protocol, and the folder of one user.

```
results/entries/ab/<key>.json        what a node gave, naming its artifacts by digest
results/keys/<extension>/<key>.json  the parts of the key, for ``explain``; <extension> is a digest of the name
results/claims/<key>                 locked by the process that is computing this result
```

Nothing here is needed by anybody: an entry that is gone, damaged or names a missing artifact is computed again. So
files are renamed into place without a sync; an entry holds the digest of itself.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from polyphony_runner.cache.key import CacheKey
from polyphony_runner.files import private_folder
from polyphony_schemas.values import JsonObject, JsonValue

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """A result: ``data`` is what ``node.succeeded`` says of it (``outputs artifacts stored``), ``made`` where and when."""

    key: str
    data: JsonObject
    made: JsonObject


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key that was asked for: its parts, by whom and when (``run node at`` in milliseconds)."""

    key: CacheKey
    asked: JsonObject


class Claim(Protocol):
    """The right to compute one result; whoever holds it is alive."""

    def release(self) -> None:
        """Give it up; nothing happens the second time."""
        ...


class ResultStore(Protocol):
    """Results by key, shared by every run that may see them.

    Contract: what ``read`` gives was written whole, by ``write`` of the same key; damage is None. A claim has one
    holder among all runs and processes, and is free again when its holder dies. ``keys`` gives what ``remember``
    was told for an extension, the newest first; it may forget.
    """

    def read(self, key: str) -> Entry | None:
        """The entry of a key, None when there is none or it is damaged."""
        ...

    def write(self, entry: Entry) -> None:
        """Keep an entry; the last one written for a key counts."""
        ...

    def remember(self, known: KnownKey) -> None:
        """Keep the parts of a key that was asked for."""
        ...

    def keys(self, extension: str) -> Iterator[KnownKey]:
        """Keys that were asked for, the newest first."""
        ...

    def claim(self, key: str) -> Claim | None:
        """Take the right to compute a result; None while somebody else has it."""
        ...


class FolderResults:
    """Results in one folder of this machine, for one user."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> Entry | None:
        """The entry of a key."""
        document = _read(self._entry(key))
        if document is None or document.get("key") != key:
            return None
        data, made = document.get("data"), document.get("made")
        if not isinstance(data, Mapping) or not isinstance(made, Mapping):
            return None
        return Entry(key, data, made)

    def write(self, entry: Entry) -> None:
        """Keep an entry."""
        _write(self._entry(entry.key), {"key": entry.key, "data": entry.data, "made": entry.made})

    def remember(self, known: KnownKey) -> None:
        """Keep the parts of a key; the first that asked stays."""
        key = known.key
        place = self._keys(key.extension) / f"{key.digest}.json"
        if not place.exists():
            _write(place, {"key": key.digest, "parts": dict(key.parts), "asked": dict(known.asked)})

    def keys(self, extension: str) -> Iterator[KnownKey]:
        """Keys that were asked for, the newest first."""
        folder = self._keys(extension)
        found = []
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as files:
            found = [(one.stat().st_mtime_ns, one.name) for one in files if one.name.endswith(".json")]
        for _, name in sorted(found, reverse=True):
            document = _read(folder / name)
            parts, asked = (document or {}).get("parts"), (document or {}).get("asked")
            if isinstance(parts, Mapping) and isinstance(asked, Mapping):
                yield KnownKey(CacheKey(name.removesuffix(".json"), parts, extension), asked)

    def claim(self, key: str) -> Claim | None:
        """Lock the file of a key without waiting."""
        place = private_folder(self._root / "claims") / key
        while True:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                same = os.fstat(descriptor).st_ino == place.stat().st_ino
            except BlockingIOError:
                os.close(descriptor)
                return None
            except FileNotFoundError:
                same = False
            if same:
                return _FileClaim(place, descriptor)
            os.close(descriptor)  # its holder removed the file before we had the lock

    def entries(self) -> Iterator[Entry]:
        """Every entry that is whole."""
        for place in self._root.glob("entries/[0-9a-f][0-9a-f]/*.json"):
            if (entry := self.read(place.stem)) is not None:
                yield entry

    def prune(self, before: float, *, dry_run: bool = False) -> int:
        """Remove entries and remembered keys written before a moment (Unix seconds); how many entries."""
        gone = 0
        for pattern in ("entries/[0-9a-f][0-9a-f]/*.json", "keys/*/*.json"):
            for place in self._root.glob(pattern):
                with contextlib.suppress(FileNotFoundError):
                    if place.stat().st_mtime < before:
                        gone += pattern.startswith("entries")
                        if not dry_run:
                            place.unlink()
        return gone

    def _entry(self, key: str) -> Path:
        return self._root / "entries" / key[:2] / f"{key}.json"

    def _keys(self, extension: str) -> Path:
        return self._root / "keys" / hashlib.sha256(extension.encode()).hexdigest()[:24]


@dataclass(slots=True)
class _FileClaim:
    place: Path
    descriptor: int

    def release(self) -> None:
        """Remove the file, then its lock."""
        if self.descriptor >= 0:
            self.place.unlink(missing_ok=True)
            os.close(self.descriptor)
            self.descriptor = -1


def _read(place: Path) -> JsonObject | None:
    """The document in a file, None when there is none or it is not what was written."""
    try:
        check, _, body = place.read_bytes().partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != check:
            return None
        document: JsonValue = json.loads(body)
    except (OSError, ValueError):
        return None
    whole = isinstance(document, Mapping) and document.get("v") == _VERSION
    return document if whole and isinstance(document, Mapping) else None


def _write(place: Path, document: JsonObject) -> None:
    body = json.dumps({"v": _VERSION, **document}, separators=(",", ":")).encode()
    private_folder(place.parent)
    temporary = place.with_name(f".{secrets.token_hex(8)}")
    try:
        temporary.write_bytes(hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        temporary.replace(place)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
