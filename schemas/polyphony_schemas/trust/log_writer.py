"""The writing side of the log, without storage: append records, seal, get the files to publish.

A seal appends one ``map`` record, so that the keyed map's root is the last leaf under every checkpoint, and gives
the tiles that are new. ``LogWriter`` keeps the right edge (a few partial tiles).
Tries are cheap: ``copy`` shares everything immutable, so a writer that fails a batch drops its copy.

>>> log = LogWriter()
>>> log.append(b"record")
0
>>> [address.path for address, _ in log.new_tiles(0)]
['tile/0/000.p/1', 'tile/entries/000.p/1']
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.keymap import KeyedMap, chain
from polyphony_schemas.trust.merkle import CompactRange, fold, leaf_hash
from polyphony_schemas.trust.notes import Checkpoint
from polyphony_schemas.trust.records import MapRecord, NamedRecord, encode_record
from polyphony_schemas.trust.tiles import WIDTH, TileAddress, encode_entries, tiles_between


@dataclass(slots=True)
class LogWriter:
    """Size, right edge and keyed map of a log that is being written."""

    range: CompactRange = field(default_factory=CompactRange)
    map: KeyedMap = field(default_factory=KeyedMap)
    # Level → hashes of the tiles that are not full yet, or became full since the last ``drop_full``.
    _edges: dict[int, dict[int, list[bytes]]] = field(default_factory=dict)
    _entries: dict[int, list[bytes]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of records so far."""
        return self.range.size

    def copy(self) -> LogWriter:
        """Give an independent writer with the same state."""
        edges = {
            level: {number: list(hashes) for number, hashes in tiles.items()}
            for level, tiles in self._edges.items()
        }
        entries = {number: list(records) for number, records in self._entries.items()}
        return LogWriter(self.range.copy(), self.map, edges, entries)

    def append_record(self, record: NamedRecord) -> int:
        """Append a name's record and move its head in the map; gives its index."""
        data = encode_record(record)
        self.map = self.map.put(record.name, chain(self.map.head(record.name), leaf_hash(data)))
        return self.append(data)

    def append(self, data: bytes) -> int:
        """Append the bytes of a record, the map left alone; gives its index."""
        if len(data) > 0xFFFF:
            raise FormatError("PLY5008", f"a log record of {len(data)} bytes")
        index = self.range.size
        leaf = leaf_hash(data)
        self.range.append(leaf)
        self._entries.setdefault(index >> 8, []).append(data)
        self._push(0, index, leaf)
        return index

    def seal(self, origin: str, at: int) -> Checkpoint:
        """Append the map record of time ``at`` and give the checkpoint to sign."""
        record = MapRecord(v=1, type="map", at=at, size=self.size, root=self.map.root().hex())
        self.append(encode_record(record))
        return Checkpoint(origin, self.size, self.range.root())

    def new_tiles(self, old_size: int) -> Iterator[tuple[TileAddress, bytes]]:
        """Give every tile that a checkpoint of the present size needs and one of ``old_size`` did not have.

        Only tiles since the last ``drop_full`` are known; store them before the checkpoint is published.
        """
        for address in tiles_between(old_size, self.size):
            if address.level == "entries":
                yield address, encode_entries(self._entries[address.number])
            else:
                yield address, b"".join(self._edges[address.level][address.number])

    def drop_full(self) -> None:
        """Forget the full tiles, once they are stored."""
        for level, tiles in self._edges.items():
            self._edges[level] = {number: hashes for number, hashes in tiles.items() if len(hashes) < WIDTH}
        self._entries = {number: records for number, records in self._entries.items() if len(records) < WIDTH}

    def _push(self, level: int, place: int, value: bytes) -> None:
        tile = self._edges.setdefault(level, {}).setdefault(place >> 8, [])
        tile.append(value)
        if len(tile) == WIDTH:
            self._push(level + 1, place >> 8, fold(tile))
