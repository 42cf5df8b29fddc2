"""The static files of the log (C2SP tlog-tiles) and proofs read from them.

::

    tile/<L>/<N>[.p/<W>]         256 (or W) hashes; hash j of level L is the root of leaves [j*256^L, (j+1)*256^L)
    tile/entries/<N>[.p/<W>]     the records themselves: u16 big-endian length, then bytes

``N`` is written in groups of three digits, all but the last with an ``x``.

>>> tile_path(0, 1234067)
'tile/0/x001/x234/067'
>>> tile_path("entries", 0, 4)
'tile/entries/000.p/4'
>>> parse_tile_path("tile/entries/000.p/4")
TileAddress(level='entries', number=0, width=4)

``TileReader`` trusts nothing it fetches: what it gives is worth something once it was verified against a signed
root. Failures are ``FormatError`` PLY5007.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    node_hash,
    split,
)

WIDTH = 256
MAX_LEVEL = 6
Level: TypeAlias = "int | Literal['entries']"
# ``path`` below the log's address → bytes; raises what its transport raises.
Fetch = Callable[[str], bytes]

_PATH = re.compile(
    r"tile/(?P<level>[0-6]|entries)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?\Z"
)


@dataclass(frozen=True, slots=True)
class TileAddress:
    """Which tile: its level, its number in that level, how many hashes or entries it holds."""

    level: Level
    number: int
    width: int = WIDTH

    @property
    def path(self) -> str:
        """The path below the log's address."""
        return tile_path(self.level, self.number, self.width)


def tile_path(level: Level, number: int, width: int = WIDTH) -> str:
    """Give the path of a tile, full or partial."""
    text = f"{number % 1000:03d}"
    while number >= 1000:
        number //= 1000
        text = f"x{number % 1000:03d}/{text}"
    return f"tile/{level}/{text}" + ("" if width == WIDTH else f".p/{width}")


def parse_tile_path(path: str) -> TileAddress:
    """Read a path; ``FormatError`` PLY5007 for any other spelling of the same tile."""
    match = _PATH.match(path)
    if not match:
        raise _error(f"the path {path!r}")
    level: Level = "entries" if match["level"] == "entries" else int(match["level"])
    address = TileAddress(level, int(re.sub(r"[x/]", "", match["number"])), int(match["width"] or WIDTH))
    if address.path != path:
        raise _error(f"the path {path!r}, written {address.path!r}")
    return address


def tiles_between(old_size: int, size: int) -> Iterator[TileAddress]:
    """Give every tile that a checkpoint of ``size`` needs and one of ``old_size`` did not have, entries last."""
    for level in range(MAX_LEVEL + 1):
        before, after = old_size >> 8 * level, size >> 8 * level
        yield from (TileAddress(level, number, width) for number, width in _changed(before, after))
    yield from (TileAddress("entries", number, width) for number, width in _changed(old_size, size))


def encode_entries(records: Sequence[bytes]) -> bytes:
    """Give the bytes of an entries tile."""
    return b"".join(len(record).to_bytes(2, "big") + record for record in records)


def parse_entries(data: bytes, width: int) -> list[bytes]:
    """Read an entries tile of ``width`` records."""
    records: list[bytes] = []
    place = 0
    while place + 2 <= len(data):
        end = place + 2 + int.from_bytes(data[place : place + 2], "big")
        records.append(data[place + 2 : end])
        place = end
    if place != len(data) or len(records) != width:
        raise _error(f"an entries tile of {len(records)} records in {len(data)} bytes, expected {width}")
    return records


@dataclass(slots=True)
class TileReader:
    """Hashes, proofs and records of the tree of ``size``, from tiles that ``fetch`` gives."""

    size: int
    fetch: Fetch
    _tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def root(self) -> bytes:
        """Give the root that the tiles lead to."""
        return self.range_root(0, self.size) if self.size else EMPTY_ROOT

    def inclusion(self, index: int) -> list[bytes]:
        """Give the inclusion proof of a leaf."""
        return inclusion_proof(index, self.size, self.range_root)

    def consistency(self, old_size: int) -> list[bytes]:
        """Give the proof that the tree of ``old_size`` is the beginning of this one."""
        return consistency_proof(old_size, self.size, self.range_root)

    def records(self, first: int, last: int) -> Iterator[bytes]:
        """Give the records [first, last); each hashes to its leaf in the level 0 tile, else PLY5007."""
        for number in range(first >> 8, (last + WIDTH - 1) >> 8):
            width = min(WIDTH, self.size - WIDTH * number)
            records = parse_entries(self.fetch(tile_path("entries", number, width)), width)
            hashes = self._tile(0, number)
            for place, record in enumerate(records):
                if leaf_hash(record) != hashes[32 * place : 32 * place + 32]:
                    raise _error(f"record {WIDTH * number + place} does not hash to its leaf")
                if first <= WIDTH * number + place < last:
                    yield record

    def leaf(self, index: int) -> bytes:
        """Give one leaf hash."""
        return self._subtree(0, index)

    def range_root(self, low: int, high: int) -> bytes:
        """Give the root of the leaves [low, high), a subtree of this tree."""
        count = high - low
        if count & (count - 1) == 0 and low % count == 0:
            return self._subtree(count.bit_length() - 1, low // count)
        middle = low + split(count)
        return node_hash(self.range_root(low, middle), self.range_root(middle, high))

    def _subtree(self, height: int, number: int) -> bytes:
        level, rest = divmod(height, 8)
        first = number << rest
        tile, start = self._tile(level, first >> 8), first & 255
        return fold([tile[32 * place : 32 * place + 32] for place in range(start, start + (1 << rest))])

    def _tile(self, level: int, number: int) -> bytes:
        width = min(WIDTH, (self.size >> 8 * level) - WIDTH * number)
        if width <= 0:
            raise _error(f"tile {number} of level {level} in a tree of {self.size}")
        tile = self._tiles.get((level, number))
        if tile is None:
            tile = self.fetch(tile_path(level, number, width))
            if len(tile) != 32 * width:
                raise _error(f"a tile of {len(tile)} bytes, expected {32 * width}")
            self._tiles[level, number] = tile
        return tile


def _changed(before: int, after: int) -> Iterator[tuple[int, int]]:
    if before == after:
        return
    for number in range(before >> 8, (after + WIDTH - 1) >> 8):
        yield number, min(WIDTH, after - WIDTH * number)


def _error(what: str) -> FormatError:
    return FormatError("PLY5007", f"log tile: {what}", hint="fetch it again from another mirror")
