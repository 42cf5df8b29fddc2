"""Hand-made git objects for pushes that git itself would never make."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path

_TYPES = {"commit": 1, "tree": 2, "blob": 3}


def write_object(tree: Path, kind: str, body: bytes) -> str:
    """Put an object into a work tree's store without any of git's checks; gives its id."""
    data = b"%s %d\0" % (kind.encode(), len(body)) + body
    identity = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    place = tree / ".git" / "objects" / identity[:2] / identity[2:]
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(zlib.compress(data))
    return identity


def tree_object(tree: Path, members: Iterable[tuple[str, bytes, str]]) -> str:
    """A tree object of (mode, name, id) in the order given."""
    body = b"".join(b"%s %s\0%s" % (mode.encode(), name, bytes.fromhex(i)) for mode, name, i in members)
    return write_object(tree, "tree", body)


def commit_of(tree: Path, root: str) -> str:
    """A commit of a tree object, as the branch ``main``."""
    who = "Ada <ada@example.com> 1790000000 +0000"
    commit = write_object(tree, "commit", f"tree {root}\nauthor {who}\ncommitter {who}\n\nx\n".encode())
    subprocess.run(["git", "-C", str(tree), "update-ref", "refs/heads/main", commit], check=True)
    return commit


def push_body(commit: str, objects: Iterable[tuple[str, bytes]], *, count: int | None = None) -> bytes:
    """The body of a ``git-receive-pack`` request that stages ``commit`` with a pack of ``objects``."""
    listed = list(objects)
    command = f"{'0' * 40} {commit} refs/staging/{commit}\0report-status".encode()
    pack = b"PACK" + (2).to_bytes(4, "big") + (len(listed) if count is None else count).to_bytes(4, "big")
    for kind, body in listed:
        pack += _entry_head(kind, len(body)) + zlib.compress(body, 9)
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    return b"%04x" % (len(command) + 4) + command + b"0000" + pack


def _entry_head(kind: str, size: int) -> bytes:
    first = (_TYPES[kind] << 4) | (size & 15)
    size >>= 4
    head = b""
    while size:
        head += bytes([first | 0x80])
        first = size & 0x7F
        size >>= 7
    return head + bytes([first])
