"""The keyed map: name → head of that name's record chain, under one root.

::

    chain_0 = 32 zero bytes;  chain_k = SHA256(04 || chain_{k-1} || leaf hash of the name's k-th record)
    key     = SHA256(name)
    leaf    = SHA256(02 || key || chain)      stands for a subtree with one key, at any depth
    node    = SHA256(03 || left || right)     by the next bit of key, highest first
    empty   = 32 zero bytes

``KeyedMap`` is immutable: ``put`` gives a new map that shares all but one path with the old one, so a writer can
drop a failed batch and keep the maps of earlier seals at almost no cost.

>>> heads = KeyedMap().put("acme", chain(ZERO, b"1" * 32)).put("acme/flows", chain(ZERO, b"2" * 32))
>>> proof = heads.prove("acme")
>>> verify_head("acme", chain(ZERO, b"1" * 32), proof, heads.root())
>>> verify_absence("other", heads.prove("other"), heads.root())

Every failure is a ``FormatError`` PLY5014.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from polyphony_schemas.errors import FormatError

ZERO = bytes(32)
# A leaf is (hash, key, chain), an inner node (hash, left, right): the second place tells them apart.
_Leaf: TypeAlias = "tuple[bytes, bytes, bytes]"
_Inner: TypeAlias = "tuple[bytes, _Node, _Node]"
_Node: TypeAlias = "_Leaf | _Inner | None"


@dataclass(frozen=True, slots=True)
class Siblings:
    """A path from the root downwards; ``other`` is the leaf of another key at its end (absence only)."""

    hashes: tuple[bytes, ...]
    other: tuple[bytes, bytes] | None = None


def chain(previous: bytes, leaf: bytes) -> bytes:
    """Give the next head of a name's record chain."""
    return hashlib.sha256(b"\x04" + previous + leaf).digest()


def chain_of(leaves: Iterable[bytes]) -> bytes:
    """Give the head over the leaf hashes of all records of a name."""
    head = ZERO
    for leaf in leaves:
        head = chain(head, leaf)
    return head


def name_hash(name: str) -> bytes:
    """Give the key of a name."""
    return hashlib.sha256(name.encode()).digest()


class KeyedMap:
    """An immutable map from names to chain heads."""

    __slots__ = ("_top",)

    def __init__(self, _top: _Node = None) -> None:
        self._top = _top

    def root(self) -> bytes:
        """Give the root; of an empty map 32 zero bytes."""
        return ZERO if self._top is None else self._top[0]

    def put(self, name: str, head: bytes) -> KeyedMap:
        """Give the map in which ``name`` has ``head``."""
        key = name_hash(name)
        return KeyedMap(_put(self._top, key, _leaf(key, head), 0))

    def head(self, name: str) -> bytes:
        """Give the head of ``name``, 32 zero bytes when it has no record."""
        key, node, depth = name_hash(name), self._top, 0
        while node is not None and not isinstance(node[1], bytes):
            node = _child(node, _bit(key, depth))
            depth += 1
        return node[2] if node is not None and node[1] == key else ZERO

    def prove(self, name: str) -> Siblings:
        """Give the proof of the name's head, or that it has none."""
        key, node = name_hash(name), self._top
        hashes: list[bytes] = []
        while node is not None and not isinstance(node[1], bytes):
            bit = _bit(key, len(hashes))
            sibling = _child(node, 1 - bit)
            hashes.append(ZERO if sibling is None else sibling[0])
            node = _child(node, bit)
        if node is None or node[1] == key:
            return Siblings(tuple(hashes))
        return Siblings(tuple(hashes), (node[1], node[2]))


def verify_head(name: str, head: bytes, proof: Siblings, root: bytes) -> None:
    """Check that ``name`` has exactly the chain ``head`` under ``root``."""
    if head == ZERO:
        raise _error("an empty chain, which is absence")
    if proof.other is not None:
        raise _error(f"a proof of absence for {name!r}")
    key = name_hash(name)
    _climb(key, _leaf(key, head)[0], proof.hashes, root)


def verify_absence(name: str, proof: Siblings, root: bytes) -> None:
    """Check that ``name`` has no record under ``root``."""
    key, below = name_hash(name), ZERO
    if proof.other is not None:
        other, head = proof.other
        depth = len(proof.hashes)
        if other == key or _prefix(other, depth) != _prefix(key, depth):
            raise _error(f"a leaf that says nothing about {name!r}")
        below = _leaf(other, head)[0]
    _climb(key, below, proof.hashes, root)


def _climb(key: bytes, value: bytes, siblings: tuple[bytes, ...], root: bytes) -> None:
    if len(siblings) > 256:
        raise _error(f"{len(siblings)} siblings, a key has 256 bits")
    if siblings and siblings[-1] == ZERO:
        raise _error("a path that is longer than its tree")
    for depth in range(len(siblings) - 1, -1, -1):
        sibling = siblings[depth]
        value = _hash(sibling, value) if _bit(key, depth) else _hash(value, sibling)
    if value != root:
        raise _error("a path that leads to another root")


def _put(node: _Node, key: bytes, leaf: _Leaf, depth: int) -> _Node:
    if node is None:
        return leaf
    if isinstance(node[1], bytes):
        return leaf if node[1] == key else _part(node, leaf, depth)
    left, right = _child(node, 0), _child(node, 1)
    if _bit(key, depth):
        right = _put(right, key, leaf, depth + 1)
    else:
        left = _put(left, key, leaf, depth + 1)
    return _inner(left, right)


def _part(one: _Leaf, two: _Leaf, depth: int) -> _Node:
    """Build the subtree in which two keys take different ways."""
    differing = depth
    while _bit(one[1], differing) == _bit(two[1], differing):
        differing += 1
    node = _inner(two, one) if _bit(one[1], differing) else _inner(one, two)
    for level in range(differing - 1, depth - 1, -1):
        node = _inner(None, node) if _bit(one[1], level) else _inner(node, None)
    return node


def _inner(left: _Node, right: _Node) -> _Node:
    return (_hash(ZERO if left is None else left[0], ZERO if right is None else right[0]), left, right)


def _leaf(key: bytes, head: bytes) -> _Leaf:
    return (hashlib.sha256(b"\x02" + key + head).digest(), key, head)


def _child(node: _Leaf | _Inner, bit: int) -> _Node:
    return node[1 + bit]  # type: ignore[return-value]  # asked of inner nodes only


def _hash(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x03" + left + right).digest()


def _bit(key: bytes, depth: int) -> int:
    return key[depth >> 3] >> (7 - (depth & 7)) & 1


def _prefix(key: bytes, bits: int) -> int:
    return int.from_bytes(key, "big") >> (256 - bits)


def _error(what: str) -> FormatError:
    return FormatError("PLY5014", f"map proof: {what}", hint="fetch index, proof and checkpoint again")
