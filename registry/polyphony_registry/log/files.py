"""The log's published files: tiles, then the checkpoint, in that order."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from polyphony_registry.log.models import Record
from polyphony_registry.published import write_file
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.merkle import fold, leaf_hash
from polyphony_schemas.trust.notes import parse_checkpoint
from polyphony_schemas.trust.tiles import WIDTH, TileAddress, encode_entries, tile_path, tiles_between

_HASH = 32


def write_tiles(session: Session, published: Path, old_size: int, size: int) -> None:
    """Write every tile that a checkpoint of ``size`` needs and one of ``old_size`` did not have."""
    for address in tiles_between(old_size, size):
        write_file(published / "log" / address.path, _tile(session, published, address), immutable=True)


def write_checkpoint(published: Path, note: str) -> None:
    """Publish a stored note; an older one never replaces a newer."""
    place = published / "log" / "checkpoint"
    if published_size(published) <= _size(note):
        write_file(place, note.encode())


def published_size(published: Path) -> int:
    """Size of the published checkpoint, 0 without one."""
    try:
        return _size((published / "log" / "checkpoint").read_text())
    except (FileNotFoundError, FormatError):
        return 0


def _size(note: str) -> int:
    return parse_checkpoint(note.partition("\n\n")[0] + "\n").size


def _tile(session: Session, published: Path, address: TileAddress) -> bytes:
    first = address.number * WIDTH
    if address.level == "entries":
        return encode_entries(_bodies(session, first, address.width))
    if address.level == 0:
        return b"".join(map(leaf_hash, _bodies(session, first, address.width)))
    below = [_full(published, int(address.level) - 1, first + place) for place in range(address.width)]
    return b"".join(fold(hashes) for hashes in below)


def _bodies(session: Session, first: int, count: int) -> list[bytes]:
    rows = (
        select(Record.body).where(Record.index >= first, Record.index < first + count).order_by(Record.index)
    )
    return list(session.scalars(rows))


def _full(published: Path, level: int, number: int) -> list[bytes]:
    data = (published / "log" / tile_path(level, number)).read_bytes()
    return [data[place : place + _HASH] for place in range(0, len(data), _HASH)]
