"""Signed notes: checkpoints of the log, the keys that verify them, cosignatures (C2SP signed-note, tlog-checkpoint).

::

    registry.example/log                                     origin
    4                                                        size, decimal
    aUzI3OUaSGt+2Ko8GIbu9XFZ4H9uGKKf8P6E6sEM8Pg=             root, base64
                                                             empty line, then one line for each signature
    — registry.example/log PxNmOo…                           em dash, key name, base64(key id || signature)

``key id = SHA256(name || LF || algorithm || key)[:4]``; algorithm 1 is Ed25519 over the text, 4 a cosignature:
eight bytes of unix time, then Ed25519 over ``cosignature/v1 LF time <t> LF <text>``. A verifier key is written
``name+hex(key id)+base64(algorithm || key)``.

>>> parse_verifier_key("registry.example/log+3f13663a+AYE5dw6ofRdfVqNUZsNMfszLjYqRtO43ol32D1uPybOU").name
'registry.example/log'

Signatures by unknown keys are ignored, a bad one by a known key is fatal. Checkpoints have no extension lines.
Every refusal is a ``FormatError`` PLY5005.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.encoding import decode_base64, encode_base64
from polyphony_schemas.trust.keys import parse_raw_ed25519

MAX_BYTES = 1 << 20
MAX_SIGNATURES = 64
ED25519 = 1
COSIGNATURE = 4
# Sizes and times stay below 2^53, so that every reader of JSON agrees about them.
_MAX_NUMBER = 2**53 - 1
_HINT = "compare the log key with the one its owner published"


class NoteSignatureError(FormatError):
    """A well-formed note that no known key signed, or one signed badly."""


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A key that verifies note signatures by ``name``; ``algorithm`` 1 or 4."""

    name: str
    key_id: bytes
    algorithm: int
    raw: bytes
    _key: Ed25519PublicKey = field(repr=False, compare=False)

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes([self.algorithm]) + self.raw)}"

    def check(self, text: bytes, signature: bytes) -> int | None:
        """Verify; gives the time of a cosignature, else ``None``."""
        time: int | None = None
        if self.algorithm == COSIGNATURE:
            if len(signature) != 72:
                raise _error(f"a cosignature by {self.name!r} of {len(signature)} bytes")
            (time,) = struct.unpack(">Q", signature[:8])
            if time > _MAX_NUMBER:
                raise _error(f"a cosignature by {self.name!r} with an impossible time")
            text, signature = _cosigned(text, time), signature[8:]
        try:
            self._key.verify(signature, text)
        except InvalidSignature:
            raise NoteSignatureError(
                "PLY5005", f"note: a bad signature by {self.name!r}", hint=_HINT
            ) from None
        return time


@dataclass(frozen=True, slots=True)
class Note:
    """A note whose known signatures verified: its text, and for each key name the cosignature time or ``None``."""

    text: str
    signers: Mapping[str, int | None]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Origin, size and root of a log at one moment."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Give the text that is signed."""
        return f"{self.origin}\n{self.size}\n{encode_base64(self.root)}\n"


@dataclass(frozen=True, slots=True)
class NoteSigner:
    """The log's (or a witness's) signing side."""

    name: str
    key: Ed25519PrivateKey = field(repr=False)

    def verifier_key(self, algorithm: int = ED25519) -> VerifierKey:
        """Give the key to hand to clients."""
        raw = self.key.public_key().public_bytes_raw()
        return _verifier_key(self.name, algorithm, raw)

    def sign(self, text: str) -> str:
        """Give the signature line over ``text``, with its line end."""
        return self._line(ED25519, self.key.sign(text.encode()))

    def cosign(self, text: str, time: int) -> str:
        """Give the cosignature line at the unix ``time``."""
        return self._line(
            COSIGNATURE, struct.pack(">Q", time) + self.key.sign(_cosigned(text.encode(), time))
        )

    def _line(self, algorithm: int, signature: bytes) -> str:
        key_id = self.verifier_key(algorithm).key_id
        return f"— {self.name} {encode_base64(key_id + signature)}\n"


def sign_checkpoint(checkpoint: Checkpoint, signers: Sequence[NoteSigner]) -> bytes:
    """Give the note of a checkpoint, signed in the order given."""
    text = checkpoint.text()
    return (text + "\n" + "".join(signer.sign(text) for signer in signers)).encode()


def parse_verifier_key(text: str) -> VerifierKey:
    """Read ``name+keyid+key``."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise _error(f"the verifier key {text[:80]!r}, expected name+keyid+key")
    name, key_id, encoded = parts
    try:
        raw = decode_base64(encoded)
    except ValueError as error:
        raise _error(f"a verifier key that is {error}") from None
    if not name or not _is_plain(name) or len(raw) != 33 or raw[0] not in {ED25519, COSIGNATURE}:
        raise _error(f"the verifier key {text[:80]!r}: name, algorithm or length")
    key = _verifier_key(name, raw[0], raw[1:])
    if key.key_id.hex() != key_id:
        raise _error(f"the verifier key of {name!r} has the id {key_id!r}, expected {key.key_id.hex()!r}")
    return key


def open_note(data: bytes, keys: Sequence[VerifierKey]) -> Note:
    """Verify a note with the known ``keys``; at least one of them must have signed."""
    text, lines = _split_note(data)
    known = {(key.name, key.key_id): key for key in keys}
    seen: dict[str, int | None] = {}
    for line in lines:
        name, raw = _signature_line(line)
        key = known.get((name, raw[:4]))
        if key is None:
            continue
        if name in seen:
            raise _error(f"two signatures by {name!r}")
        seen[name] = key.check(text.encode(), raw[4:])
    if not seen:
        raise NoteSignatureError("PLY5005", "note: no signature by a known key", hint=_HINT)
    return Note(text, MappingProxyType(seen))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read the text of a checkpoint: exactly three lines."""
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise _error(f"a checkpoint of {len(lines) - 1} lines, expected 3")
    origin, size, root = lines[:3]
    if not origin or not _is_plain(origin):
        raise _error(f"the origin {origin[:80]!r}")
    if (
        not (size.isascii() and size.isdigit() and len(size) <= 16)
        or str(int(size)) != size
        or int(size) > _MAX_NUMBER
    ):
        raise _error(f"the size {size[:40]!r}")
    try:
        return Checkpoint(origin, int(size), decode_base64(root, 32))
    except ValueError as error:
        raise _error(f"a root that is {error}") from None


def _split_note(data: bytes) -> tuple[str, list[str]]:
    if len(data) > MAX_BYTES:
        raise _error(f"{len(data)} bytes, the limit is {MAX_BYTES}")
    try:
        note = data.decode("utf-8")
    except UnicodeDecodeError:
        raise _error("bytes that are not UTF-8") from None
    if any((character < " " and character != "\n") or character == "\x7f" for character in note):
        raise _error("a control character")
    body, blank, signatures = note.rpartition("\n\n")
    if not blank or not body or not signatures.endswith("\n"):
        raise _error("no signature lines after an empty line")
    lines = signatures[:-1].split("\n")
    if len(lines) > MAX_SIGNATURES:
        raise _error(f"{len(lines)} signatures, the limit is {MAX_SIGNATURES}")
    return body + "\n", lines


def _signature_line(line: str) -> tuple[str, bytes]:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—" or not _is_plain(parts[1]):
        raise _error(f"the signature line {line[:80]!r}")
    try:
        raw = decode_base64(parts[2])
    except ValueError as error:
        raise _error(f"a signature that is {error}") from None
    if len(raw) < 5:
        raise _error("a signature that is too short")
    return parts[1], raw


def _verifier_key(name: str, algorithm: int, raw: bytes) -> VerifierKey:
    key_id = hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + raw).digest()[:4]
    return VerifierKey(name, key_id, algorithm, raw, parse_raw_ed25519(raw))


def _cosigned(text: bytes, time: int) -> bytes:
    return b"cosignature/v1\ntime %d\n%s" % (time, text)


def _is_plain(name: str) -> bool:
    return bool(name) and "+" not in name and not any(c.isspace() or c < " " for c in name)


def _error(what: str) -> FormatError:
    return FormatError(
        "PLY5005", f"note: {what}", hint="compare the log key with the one its owner published"
    )
