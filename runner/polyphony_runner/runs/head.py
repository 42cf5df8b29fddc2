"""The signed head of a journal: who ran this, as far as the home's own key can say.

``head.json`` is ``{"run","seq","head","key","signature"}``. The signature (Ed25519, base64) is over the canonical
JSON of ``{"head","run","seq"}``; ``key`` is the raw public key in base64. The private half is ``keys/run.pem``,
made when first needed.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.files import exclusive, private_folder, write_atomic
from polyphony_runner.journal.protocol import Journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.values import JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
_SEED_BYTES = 32


def sign_head(folder: RunFolder, journal: Journal, keys: Path) -> None:
    """Sign the journal as it is now."""
    write_atomic(folder.head, signed_head(folder.run, journal, keys))


def signed_head(run: str, journal: Journal, keys: Path) -> bytes:
    """The document ``head.json`` for the journal as it is now."""
    key = run_key(keys)
    seq, head = journal.next_seq - 1, journal.head
    raw = key.public_key().public_bytes_raw()
    document = {
        "run": run,
        "seq": seq,
        "head": head,
        "key": base64.b64encode(raw).decode(),
        "signature": base64.b64encode(key.sign(_signed(run, seq, head))).decode(),
    }
    return json.dumps(document, indent=1).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head whose signature holds; ``key`` is the raw public key."""

    seq: int
    head: str
    key: bytes


def read_head(data: bytes, run: str) -> SignedHead:
    """Read ``head.json`` of a run and check its signature; ``ValueError``, LookupError, TypeError when it is none."""
    document: dict[str, JsonValue] = json.loads(data)
    seq, head = int(str(document["seq"])), str(document["head"])
    key = base64.b64decode(str(document["key"]), validate=True)
    signature = base64.b64decode(str(document["signature"]), validate=True)
    if not verifies(key, _signed(run, seq, head), signature):
        raise ValueError("the signature of the head does not hold")
    return SignedHead(seq, head, key)


def verifies(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a raw Ed25519 public key made the signature; ``ValueError`` for what is no such key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def check_head(folder: RunFolder, keys: Path) -> tuple[int, str, bool]:
    """``seq`` and head that were signed, and whether this home's key did it; ``ValueError`` for a bad signature."""
    signed = read_head(folder.head.read_bytes(), folder.run)
    own = (keys / "run.pem").exists() and signed.key == run_key(keys).public_key().public_bytes_raw()
    return signed.seq, signed.head, own


def _signed(run: str, seq: int, head: str) -> bytes:
    return json.dumps({"head": head, "run": run, "seq": seq}, separators=(",", ":")).encode()


def run_key(keys: Path) -> Ed25519PrivateKey:
    """The home's own key for runs, made when there is none."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = private_folder(keys) / "run.pem"
    if not path.exists():
        with exclusive(keys / "run.lock"):  # two first runs at once sign with one key
            if not path.exists():
                _make(path)
    seed = _seed(path.read_text())
    if seed is None:
        raise TypeError(f"{path} holds no Ed25519 key")
    return Ed25519PrivateKey.from_private_bytes(seed)


def _make(path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    fresh = Ed25519PrivateKey.generate()
    write_atomic(path, fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def _seed(pem: str) -> bytes | None:
    """The 32 bytes of an Ed25519 key: its PKCS #8 form is one fixed head and the seed (RFC 8410, section 10.3).

    Read here because the library's own reader imports every format of keys there is, at the end of every run.
    """
    body = "".join(line for line in pem.splitlines() if not line.startswith("-"))
    try:
        der = base64.b64decode(body, validate=True)
    except ValueError:
        return None
    fits = der.startswith(_PKCS8) and len(der) == len(_PKCS8) + _SEED_BYTES
    return der[len(_PKCS8) :] if fits else None
