"""The proof file of one name in the keyed map, ``/log/map/SIZE/OWNER/NAME`` (``@`` for the namespace).

::

    {"v": 1, "size": <checkpoint size>, "map": {<the map record, last leaf of that size>},
     "inclusion": ["<base64>", ...],      of the map record in the log tree of that size, lowest first
     "siblings": ["<base64>", ...],       from the map's root downwards
     "leaf": {"key": "<hex>", "chain": "<hex>"}}     only when another name's leaf ends the path: absence

Canonical JSON. Failures are ``FormatError`` PLY5014.

>>> from polyphony_schemas.trust.keymap import Siblings
>>> record = MapRecord(v=1, type="map", at=1, size=0, root="0" * 64)
>>> parse_map_proof(encode_map_proof(MapProof(1, record, (), Siblings(())))).size
1
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.encoding import decode_base64, encode_base64
from polyphony_schemas.trust.fields import Base64Digest, HexDigest, One
from polyphony_schemas.trust.keymap import Siblings, verify_absence, verify_head
from polyphony_schemas.trust.merkle import leaf_hash, verify_inclusion
from polyphony_schemas.trust.model import TrustModel
from polyphony_schemas.trust.records import MapRecord

_CODE = "PLY5014"


class _OtherLeaf(TrustModel):
    key: HexDigest
    chain: HexDigest


class _ProofFile(TrustModel):
    v: One
    size: Annotated[int, Field(ge=1)]
    map: MapRecord
    inclusion: Annotated[list[Base64Digest], Field(max_length=64)]
    siblings: Annotated[list[Base64Digest], Field(max_length=256)]
    leaf: _OtherLeaf = Field(default=None)  # type: ignore[assignment]  # absent, never null


@dataclass(frozen=True, slots=True)
class MapProof:
    """The map record under a checkpoint of ``size``, that it is included, and one name's path in the map."""

    size: int
    record: MapRecord
    inclusion: tuple[bytes, ...]
    siblings: Siblings

    def check_map(self, root: bytes) -> None:
        """Check that the last leaf of the log tree with ``root`` is this map record. PLY5006, PLY5014."""
        if self.record.size != self.size - 1:
            raise FormatError(
                _CODE, f"map proof: a map of size {self.record.size} under a tree of {self.size}"
            )
        leaf = leaf_hash(self.record.to_bytes())
        verify_inclusion(self.size - 1, self.size, leaf, self.inclusion, root)

    def check_head(self, name: str, head: bytes) -> None:
        """Check that the name's chain head in the map is ``head`` (``keymap.ZERO``: no record). PLY5014."""
        root = bytes.fromhex(self.record.root)
        if head == bytes(32):
            verify_absence(name, self.siblings, root)
        else:
            verify_head(name, head, self.siblings, root)


def encode_map_proof(proof: MapProof) -> bytes:
    """Give the canonical bytes of the proof file."""
    siblings = proof.siblings
    other = siblings.other and {"leaf": {"key": siblings.other[0].hex(), "chain": siblings.other[1].hex()}}
    return canonical.encode(
        {
            "v": 1,
            "size": proof.size,
            "map": proof.record.to_json(),
            "inclusion": [encode_base64(value) for value in proof.inclusion],
            "siblings": [encode_base64(value) for value in siblings.hashes],
            **(other or {}),
        }
    )


def parse_map_proof(data: bytes) -> MapProof:
    """Read a proof file; ``FormatError`` PLY5014."""
    try:
        value = canonical.decode_object(data)
    except FormatError as error:
        raise FormatError(_CODE, f"map proof: {error.message}") from None
    file = _ProofFile.from_json(value, _CODE, "map proof")
    other: tuple[bytes, bytes] | None = None
    if "leaf" in file.model_fields_set:
        other = bytes.fromhex(file.leaf.key), bytes.fromhex(file.leaf.chain)
    return MapProof(
        file.size,
        file.map,
        tuple(decode_base64(text) for text in file.inclusion),
        Siblings(tuple(decode_base64(text) for text in file.siblings), other),
    )
