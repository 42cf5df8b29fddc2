"""The Merkle tree of the log (RFC 6962, proofs as in RFC 9162 2.1.3.2 and 2.1.4.2).

::

    leaf = SHA256(00 || record)     node = SHA256(01 || left || right)     empty = SHA256("")

``CompactRange`` is the writer's state: one hash for each complete subtree of the right edge.

>>> log = CompactRange()
>>> for record in (b"a", b"b", b"c"):
...     log.append(leaf_hash(record))
>>> verify_inclusion(2, 3, leaf_hash(b"c"), [node_hash(leaf_hash(b"a"), leaf_hash(b"b"))], log.root())

Every failure is a ``FormatError`` PLY5006.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError

EMPTY_ROOT = hashlib.sha256(b"").digest()
# ``(low, high) -> root of the leaves [low, high)``; asked only for ranges that are whole subtrees of some tree.
RangeRoot = Callable[[int, int], bytes]


def leaf_hash(record: bytes) -> bytes:
    """Hash one record."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Root of a complete subtree over 2^k hashes."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


@dataclass(slots=True)
class CompactRange:
    """Size and right edge of a growing tree: ``frontier`` has one hash per one-bit of ``size``, largest first."""

    size: int = 0
    frontier: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> None:
        """Add a leaf hash."""
        carry, size = leaf, self.size
        while size & 1:
            carry = node_hash(self.frontier.pop(), carry)
            size >>= 1
        self.frontier.append(carry)
        self.size += 1

    def root(self) -> bytes:
        """Give the root at the present size."""
        if not self.frontier:
            return EMPTY_ROOT
        root = self.frontier[-1]
        for subtree in reversed(self.frontier[:-1]):
            root = node_hash(subtree, root)
        return root

    def copy(self) -> CompactRange:
        """Give an independent copy, to try an append on."""
        return CompactRange(self.size, list(self.frontier))


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> None:
    """Check that ``leaf`` is the leaf ``index`` of the tree of ``size`` with ``root``."""
    if not 0 <= index < size:
        raise _error(f"leaf {index} in a tree of {size}")
    position, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise _error("an inclusion proof that is too long")
        left = position & 1 or position == last
        value = node_hash(sibling, value) if left else node_hash(value, sibling)
        position, last = _up(position, last)
    if last:
        raise _error("an inclusion proof that is too short")
    if value != root:
        raise _error("an inclusion proof that leads to another root")


def verify_consistency(
    old_size: int, size: int, old_root: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that the tree of ``size`` begins with the one of ``old_size`` (at least 1)."""
    if not 1 <= old_size <= size:
        raise _error(f"consistency from size {old_size} to {size}")
    if old_size == size:
        if proof or old_root != root:
            raise _error("two roots for one size")
        return
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        raise _error("an empty consistency proof")
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise _error("a consistency proof that is too long")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
        else:
            new = node_hash(new, sibling)
        position, last = _up(position, last)
    if last:
        raise _error("a consistency proof that is too short")
    if old != old_root or new != root:
        raise _error("a consistency proof that leads to another root")


def inclusion_proof(index: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Give the siblings of leaf ``index`` in the tree of ``size``, lowest first."""
    if not 0 <= index < size:
        raise _error(f"leaf {index} in a tree of {size}")
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + split(high - low)
        if index < middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low = middle
    return [range_root(*bounds) for bounds in reversed(path)]


def consistency_proof(old_size: int, size: int, range_root: RangeRoot) -> list[bytes]:
    """Give the proof that the tree of ``size`` begins with the one of ``old_size``."""
    if not 0 <= old_size <= size:
        raise _error(f"consistency from size {old_size} to {size}")
    if old_size in {0, size}:
        return []
    low, high, path, whole = 0, size, [], True
    while old_size != high:
        middle = low + split(high - low)
        if old_size <= middle:
            path.append((middle, high))
            high = middle
        else:
            path.append((low, middle))
            low, whole = middle, False
    if not whole:
        path.append((low, high))
    return [range_root(*bounds) for bounds in reversed(path)]


def split(count: int) -> int:
    """Give the largest power of two below ``count``: how many leaves go left."""
    return 1 << (count - 1).bit_length() - 1


def _up(position: int, last: int) -> tuple[int, int]:
    """Go to the parent; at the right edge, skip the levels where this node has no sibling."""
    if position == last:
        while not position & 1 and position:
            position >>= 1
            last >>= 1
    return position >> 1, last >> 1


def _error(what: str) -> FormatError:
    return FormatError("PLY5006", f"log proof: {what}", hint="fetch the proof again from another mirror")
