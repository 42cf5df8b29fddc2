"""The index file of a name: its whole record history, one canonical JSON line for each log record.

::

    {"i": <index in the log>, "m": {<resolver hints>}, "r": {<the record>}}

``r`` is hashed to the name's chain head in the keyed map, so a line can neither be dropped, added nor moved. ``m`` of
a ``publish`` line is ``{"kind", "dependencies": {"owner/name": range}, "permissions": {...}}``: the permissions
document must hash to the record's ``permissions``, the rest is a hint that the manifest decides; of other lines it
is empty.

>>> line = b'{"i":0,"m":{},"r":{"at":1,"how":"new","name":"acme","owner":"u_1","prev":-1,"type":"name.claim","v":1}}'
>>> entry = parse_index(line + b"\\n")[0]
>>> entry.index, entry.record.name
(0, 'acme')

Failures are ``FormatError`` PLY5009.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.keymap import chain_of
from polyphony_schemas.trust.merkle import leaf_hash
from polyphony_schemas.trust.records import MAX_RECORD_BYTES, MapRecord, NamedRecord, record_from_json
from polyphony_schemas.values import JsonObject

_CODE = "PLY5009"
MAX_INDEX_BYTES = 16 * 1024 * 1024
MAX_LINE_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class IndexLine:
    """One record of a name: where it stands in the log, the record, hints, and its leaf hash."""

    index: int
    record: NamedRecord
    leaf: bytes
    hints: JsonObject = field(default_factory=dict)


def encode_line(index: int, record: NamedRecord, hints: JsonObject | None = None) -> bytes:
    """Give one line with its line end."""
    return canonical.encode({"i": index, "r": record.to_json(), "m": hints or {}}) + b"\n"


def parse_index(data: bytes) -> list[IndexLine]:
    """Read a whole index file, in file order; ``FormatError`` PLY5009 names the line."""
    if len(data) > MAX_INDEX_BYTES:
        raise FormatError(_CODE, f"an index of {len(data)} bytes, the limit is {MAX_INDEX_BYTES}")
    if data and not data.endswith(b"\n"):
        raise FormatError(_CODE, "an index file that breaks off inside its last line")
    return [_line(number, line) for number, line in enumerate(data.split(b"\n")[:-1], 1)]


def head_at(lines: Iterable[IndexLine], size: int) -> bytes:
    """Give the chain head of the records below ``size``: newer lines are not counted."""
    return chain_of(line.leaf for line in lines if line.index < size)


def permissions_document(line: IndexLine) -> Mapping[str, object]:
    """Give the permissions document of a ``publish`` line; empty when the line has none."""
    found = line.hints.get("permissions", {})
    return found if isinstance(found, dict) else {}


def _line(number: int, data: bytes) -> IndexLine:
    try:
        value = canonical.decode_object(data, max_bytes=MAX_LINE_BYTES)
        if value.keys() != {"i", "m", "r"}:
            raise FormatError(_CODE, f"the members {', '.join(sorted(value))}, expected i, m, r")
        index, hints, record = value["i"], value["m"], value["r"]
        if not isinstance(index, int) or isinstance(index, bool) or index < 0:
            raise FormatError(_CODE, f"the index {index!r}")
        if not isinstance(hints, dict) or not isinstance(record, dict):
            raise FormatError(_CODE, "m and r must be objects")
        # The line is canonical, so the record's bytes are its end: no need to write it again.
        start = len(b'{"i":%d,"m":,"r":' % index) + (len(canonical.encode(hints)) if hints else 2)
        raw = data[start:-1]
        if len(raw) > MAX_RECORD_BYTES:
            raise FormatError(_CODE, f"a record of {len(raw)} bytes")
        parsed = record_from_json(record)
        if isinstance(parsed, MapRecord):
            raise FormatError(_CODE, "a map record, which belongs to no name")
    except FormatError as error:
        raise FormatError(_CODE, f"index line {number}: {error.message}", details={"line": number}) from None
    return IndexLine(index, parsed, leaf_hash(raw), hints)
