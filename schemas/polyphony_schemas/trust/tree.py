"""Package identity: the git tree id in SHA-256, computed by ourselves from names, modes and bytes.

::

    blob(b)  = SHA256("blob " + dec(len(b)) + NUL + b)
    entry    = mode + " " + name + NUL + id               id: 32 raw bytes
    tree(es) = SHA256("tree " + dec(len(body)) + NUL + body)    body: sorted entries, concatenated
    order    = bytes of the name, plus "/" for a directory
    mode     = 40000 directory, 100644 file, 100755 executable, 120000 symbolic link (blob = target)

The value equals what git itself computes in a repository of object format SHA-256, whatever the format of the
repository the bytes came from.

>>> tree_id({"melody.yaml": Entry("100644", b"melody: v1\\n")})
'5f624868a54b593b4388b4d8f6cd051dd0c55a407c56bc5b175f56fb1560d83d'

Names are text; a name that is not UTF-8 travels as ``surrogateescape`` so that ``tree_rules`` can refuse it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from polyphony_schemas.errors import FormatError
from polyphony_schemas.values import TreeId

FILE: Final = "100644"
EXECUTABLE: Final = "100755"
LINK: Final = "120000"
DIRECTORY: Final = "40000"
EMPTY_TREE = TreeId("6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321")

# Far above what ``tree_rules`` allows; it only keeps the walk below from exhausting the stack.
_DEEPEST = 200

EntryMode: TypeAlias = Literal["100644", "100755", "120000"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or link of a tree: its git mode and its bytes (for a link: the target)."""

    mode: EntryMode
    data: bytes


# Path with "/" between the parts → entry. Directories exist only through what they hold.
Entries: TypeAlias = Mapping[str, Entry]


def blob_id(data: bytes) -> bytes:
    """32 raw bytes: the id of a blob."""
    return hashlib.sha256(b"blob %d\0" % len(data) + data).digest()


def tree_of(items: Iterable[tuple[str, str, bytes]]) -> bytes:
    """32 raw bytes: the id of one directory from ``(name, mode, id)`` of its members, in any order."""
    parts = sorted(
        (name_key(mode, raw := encode_name(name)), b"%s %s\0%s" % (mode.encode(), raw, identity))
        for name, mode, identity in items
    )
    body = b"".join(entry for _, entry in parts)
    return hashlib.sha256(b"tree %d\0" % len(body) + body).digest()


def tree_id(entries: Entries) -> TreeId:
    """Give the identity of a package, in hexadecimal.

    Raises ``FormatError`` PLY5012 for paths that no tree can hold: empty parts, or one name for a file and a directory.
    """
    root: dict[str, object] = {}
    for path, entry in entries.items():
        *folders, name = path.split("/")
        if len(folders) > _DEEPEST:
            raise _impossible(path)
        here = root
        for folder in folders:
            below = here.setdefault(folder, {})
            if not folder or not isinstance(below, dict):
                raise _impossible(path)
            here = below
        if not name or name in here:
            raise _impossible(path)
        here[name] = entry
    return TreeId(_hash(root).hex())


def name_key(mode: str, name: bytes) -> bytes:
    """Give the sorting key of a member: git compares a directory as if its name ended in ``/``."""
    return name + b"/" if mode == DIRECTORY else name


def encode_name(name: str) -> bytes:
    """Give the bytes of a name; the inverse of decoding with ``surrogateescape``."""
    try:
        return name.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise _impossible(name) from None


def _hash(folder: dict[str, object]) -> bytes:
    return tree_of(
        (name, DIRECTORY, _hash(cast("dict[str, object]", member)))
        if not isinstance(member, Entry)
        else (name, member.mode, blob_id(member.data))
        for name, member in folder.items()
    )


def _impossible(path: str) -> FormatError:
    return FormatError(
        "PLY5012",
        f"the path {path!r} cannot stand in a tree",
        hint="give each file one path with non-empty parts, and no path twice",
    )
