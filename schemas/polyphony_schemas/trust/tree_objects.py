"""Reading a package out of a git object store: tree objects walked by us, never a checkout.

The store's own ids (SHA-1 or SHA-256) only find the objects; the identity is computed again from the bytes.
What a tree object says wrongly (order, duplicates, odd modes, submodules, empty folders) becomes a ``Refusal``;
the limits are counted while walking, so a small bomb of shared subtrees ends early.

>>> body = b"100644 a\\0" + bytes(20) + b"40000 b\\0" + bytes(20)
>>> [(item.mode, item.name) for item in parse_tree_object(body, 20)]
[('100644', b'a'), ('40000', b'b')]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import cast

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.tree import DIRECTORY, EXECUTABLE, FILE, LINK, Entry, EntryMode, name_key
from polyphony_schemas.trust.tree_rules import (
    MAX_BLOB_BYTES,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_TOTAL_BYTES,
    Refusal,
)

_MODES = frozenset({FILE, EXECUTABLE, LINK, DIRECTORY})
# Every file in folders of its own. A few objects that name each other many times would be more folders than atoms.
_MAX_MEMBERS = MAX_ENTRIES * MAX_DEPTH


@dataclass(frozen=True, slots=True)
class TreeItem:
    """One member of a git tree object: mode and name as written, the store's id in raw bytes."""

    mode: str
    name: bytes
    identity: bytes


@dataclass(slots=True)
class PackageTree:
    """What a walk found: entries by path, and what was wrong on the way (hand both to ``refusals``)."""

    entries: dict[str, Entry] = field(default_factory=dict)
    structure: list[Refusal] = field(default_factory=list)
    total_bytes: int = 0
    members: int = 0


# ``(raw id) -> ("tree" or "blob", bytes)``; raises whatever the store raises for an object it lacks.
ReadObject = Callable[[bytes], tuple[str, bytes]]


def parse_tree_object(body: bytes, id_length: int) -> Iterator[TreeItem]:
    """Give the members of a tree object as stored. ``FormatError`` PLY5012 when the bytes are no tree."""
    place = 0
    while place < len(body):
        space = body.find(b" ", place, place + 8)
        end = body.find(b"\0", place)
        if space < 0 or end < space or end + 1 + id_length > len(body):
            raise FormatError("PLY5012", f"a git tree object that breaks off at byte {place} of {len(body)}")
        mode = body[place:space].decode("ascii", "replace")
        yield TreeItem(mode, body[space + 1 : end], body[end + 1 : end + 1 + id_length])
        place = end + 1 + id_length


def read_package(root: bytes, read: ReadObject) -> PackageTree:
    """Walk the tree object ``root`` (raw id, 20 or 32 bytes) to entries; stops reading at the first limit."""
    package = PackageTree()
    _walk(root, "", 1, read, package)
    return package


def _walk(identity: bytes, prefix: str, depth: int, read: ReadObject, package: PackageTree) -> bool:
    kind, body = read(identity)
    if kind != "tree":
        package.structure.append(Refusal("structure", prefix[:-1], f"a {kind} where a folder was named"))
        return True
    if not body and prefix:
        package.structure.append(Refusal("structure", prefix[:-1], "an empty folder"))
    previous: bytes | None = None
    names: set[bytes] = set()
    for item in parse_tree_object(body, len(identity)):
        package.members += 1
        if package.members > _MAX_MEMBERS:
            package.structure.append(
                Refusal("limits", "", f"more than {_MAX_MEMBERS} members of its folders")
            )
            return False
        path = prefix + item.name.decode("utf-8", "surrogateescape")
        key = name_key(item.mode, item.name)
        if item.name in names:
            package.structure.append(Refusal("structure", path, "the name twice in one folder"))
            continue
        if previous is not None and key < previous:
            package.structure.append(Refusal("structure", path, "members that are not sorted"))
        previous = key
        names.add(item.name)
        if not _member(item, path, depth, read, package):
            return False
    return True


def _member(item: TreeItem, path: str, depth: int, read: ReadObject, package: PackageTree) -> bool:
    if item.mode not in _MODES:
        package.structure.append(Refusal("modes", path, f"mode {item.mode}"))
        return True
    if b"/" in item.name or not item.name:
        package.structure.append(Refusal("structure", path, f"the name {item.name!r}"))
        return True
    if item.mode == DIRECTORY:
        if depth >= MAX_DEPTH:
            package.structure.append(Refusal("limits", path, f"more than {MAX_DEPTH} levels"))
            return True
        return _walk(item.identity, path + "/", depth + 1, read, package)
    kind, data = read(item.identity)
    if kind != "blob":
        package.structure.append(Refusal("structure", path, f"a {kind} where a file was named"))
        return True
    package.entries[path] = Entry(cast("EntryMode", item.mode), data)
    package.total_bytes += len(data)
    return _within(path, len(data), package)


def _within(path: str, size: int, package: PackageTree) -> bool:
    if len(package.entries) > MAX_ENTRIES:
        package.structure.append(Refusal("limits", "", f"more than {MAX_ENTRIES} entries"))
    elif package.total_bytes > MAX_TOTAL_BYTES:
        package.structure.append(Refusal("limits", "", f"more than {MAX_TOTAL_BYTES} bytes in all"))
    elif size <= MAX_BLOB_BYTES:
        return True
    else:
        package.structure.append(Refusal("limits", path, f"{size} bytes, at most {MAX_BLOB_BYTES}"))
        return True
    return False
