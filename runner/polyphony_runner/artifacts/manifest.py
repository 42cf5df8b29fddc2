"""The manifest of a folder artifact: canonical JSON, one entry for each file, link and empty folder.

```
{"artifact":"directory","entries":[["a/run.sh","x","<sha256>",120],["b","d"],["c","l","a/run.sh"],["d.txt","f","<sha256>",7]]}
```

Entries are sorted by the UTF-8 bytes of their path. Kinds: ``f`` file, ``x`` executable file (both with digest and
size in bytes), ``l`` link (with its target, relative and inside the folder), ``d`` folder without entries. Paths are
relative, ``/`` between the parts, never ``.`` or ``..``. Owners and times are not kept: the same content gives the
same digest wherever it was made.

>>> encode([Entry("b.txt", "f", "0" * 64, 3), Entry("a", "d")])
b'{"artifact":"directory","entries":[["a","d"],["b.txt","f","0000000000000000000000000000000000000000000000000000000000000000",3]]}'
>>> [entry.path for entry in decode(_)]
['a', 'b.txt']
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from polyphony_runner.artifacts.errors import ArtifactError

EntryKind = Literal["f", "x", "l", "d"]
_HEX = frozenset("0123456789abcdef")
MAX_ENTRIES = 200_000
MAX_BYTES = 64 << 20
DIRECTORY_MEDIA_TYPE = "inode/directory"


@dataclass(frozen=True, slots=True)
class Entry:
    """One name in the folder. ``target`` is the digest of a file or the target of a link."""

    path: str
    kind: EntryKind
    target: str = ""
    size: int = 0


def encode(entries: Iterable[Entry]) -> bytes:
    """The manifest's bytes; their SHA-256 is the digest of the folder."""
    rows: list[list[object]] = []
    for entry in sorted(entries, key=lambda entry: entry.path.encode()):
        row: list[object] = [entry.path, entry.kind]
        if entry.kind != "d":
            row.append(entry.target)
        if entry.kind in ("f", "x"):
            row.append(entry.size)
        rows.append(row)
    document = {"artifact": "directory", "entries": rows}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def decode(data: bytes) -> list[Entry]:
    """Read a manifest strictly; ``ArtifactError`` PLY2303 for anything ``encode`` would not write."""
    try:
        document = json.loads(data)
        entries = [_entry(row) for row in document["entries"]]
        if encode(entries) != data:
            raise ValueError("not in its canonical form")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ArtifactError("PLY2303", f"not a folder artifact: {error}") from None
    for entry in entries:
        check_path(entry.path)
        if entry.kind == "l":
            check_link(entry.path, entry.target)
    return entries


def is_digest(text: str) -> bool:
    """Whether ``text`` is 64 lower-case hexadecimal digits."""
    return len(text) == 64 and set(text) <= _HEX


def check_path(path: str) -> None:
    """Refuse names that could leave the folder."""
    parts = path.split("/")
    if "\0" in path or not all(parts) or any(part in (".", "..") for part in parts):
        raise ArtifactError("PLY2304", f"the name {path!r} cannot stand in a folder artifact")


def check_link(path: str, target: str) -> None:
    """Refuse links that lead out of the folder."""
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((count for count, part in enumerate(parts) if part != ".."), len(parts))
    # ``..`` behind a name would lead up from wherever that name leads, if it is a link itself
    outside = target.startswith("/") or ".." in parts[ups:] or ups > path.count("/")
    if not target or "\0" in target or outside:
        raise ArtifactError(
            "PLY2304",
            f"the link {path!r} leads to {target!r}, outside the folder",
            hint="copy what the link names into the folder, or leave the link out",
        )


def _entry(row: list[object]) -> Entry:
    match row:
        case [str(path), "d"]:
            return Entry(path, "d")
        case [str(path), "l", str(target)]:
            return Entry(path, "l", target)
        case [str(path), "f" | "x" as kind, str(digest), int(size)] if is_digest(digest):
            return Entry(path, "x" if kind == "x" else "f", digest, size)
    raise ValueError(f"the entry {row!r}")
