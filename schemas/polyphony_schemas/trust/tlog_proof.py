"""One file that shows a record to be in the log: ``c2sp.org/tlog-proof@v1``, for locks and air gaps.

::

    c2sp.org/tlog-proof@v1
    index 2
    <base64 hash>                 the inclusion proof, lowest first, one hash a line
                                  empty line, then the checkpoint's note as it is

>>> parse_tlog_proof(encode_tlog_proof(TlogProof(2, (bytes(32),), b"note\\n"))).index
2

Failures are ``FormatError`` PLY5010; the note is verified by ``notes``, the proof by ``verify_record``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.encoding import decode_base64, encode_base64
from polyphony_schemas.trust.merkle import leaf_hash, verify_inclusion
from polyphony_schemas.trust.notes import Checkpoint, VerifierKey, open_note, parse_checkpoint

_CODE = "PLY5010"
_FIRST_LINE = "c2sp.org/tlog-proof@v1"
_MAX_HASHES = 64


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Index and inclusion proof of a record, under the checkpoint that ``note`` holds."""

    index: int
    inclusion: tuple[bytes, ...]
    note: bytes

    def verify_record(self, record: bytes, keys: Sequence[VerifierKey]) -> Checkpoint:
        """Check note and proof for the bytes of ``record``; gives the checkpoint. PLY5005, PLY5006."""
        checkpoint = parse_checkpoint(open_note(self.note, keys).text)
        verify_inclusion(self.index, checkpoint.size, leaf_hash(record), self.inclusion, checkpoint.root)
        return checkpoint


def encode_tlog_proof(proof: TlogProof) -> bytes:
    """Give the bytes of the file."""
    lines = [_FIRST_LINE, f"index {proof.index}", *(encode_base64(value) for value in proof.inclusion), ""]
    return "".join(f"{line}\n" for line in lines).encode() + proof.note


def parse_tlog_proof(data: bytes) -> TlogProof:
    """Read the file; ``FormatError`` PLY5010."""
    head, blank, note = data.partition(b"\n\n")
    try:
        first, index, *hashes = head.decode("ascii").split("\n")
        number = index.removeprefix("index ")
        if not blank or first != _FIRST_LINE or len(hashes) > _MAX_HASHES or len(number) > 16:
            raise ValueError("no tlog-proof of version 1")
        if not number.isdigit() or f"index {int(number)}" != index:
            raise ValueError(f"the line {index[:40]!r}, expected index N")
        inclusion = tuple(decode_base64(text, 32) for text in hashes)
    except ValueError as error:
        raise FormatError(
            _CODE, f"log proof: {error}", hint="fetch the proof again from another mirror"
        ) from None
    return TlogProof(int(number), inclusion, note)
