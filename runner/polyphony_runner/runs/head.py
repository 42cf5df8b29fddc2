"""The signed head of a journal: who ran this, as far as the home's own key can say.

``head.json`` is ``{"run","seq","head","key","signature"}``. The signature (Ed25519, base64) is over the canonical
JSON of ``{"head","run","seq"}``; ``key`` is the raw public key in base64. The private half is ``keys/run.pem``,
made when first needed.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.files import private_folder, write_atomic
from polyphony_runner.journal.protocol import Journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.values import JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def sign_head(folder: RunFolder, journal: Journal, keys: Path) -> None:
    """Sign the journal as it is now."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    key = _run_key(keys)
    seq, head = journal.next_seq - 1, journal.head
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    document = {
        "run": folder.run,
        "seq": seq,
        "head": head,
        "key": base64.b64encode(raw).decode(),
        "signature": base64.b64encode(key.sign(_signed(folder.run, seq, head))).decode(),
    }
    write_atomic(folder.head, json.dumps(document, indent=1).encode() + b"\n")


def check_head(folder: RunFolder, keys: Path) -> tuple[int, str, bool]:
    """``seq`` and head that were signed, and whether this home's key did it; ``ValueError`` for a bad signature."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    document: dict[str, JsonValue] = json.loads(folder.head.read_bytes())
    seq, head = int(str(document["seq"])), str(document["head"])
    raw = base64.b64decode(str(document["key"]), validate=True)
    signature = base64.b64decode(str(document["signature"]), validate=True)
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, _signed(folder.run, seq, head))
    except InvalidSignature:
        raise ValueError("the signature of the head does not hold") from None
    own = (keys / "run.pem").exists() and raw == _run_key(keys).public_key().public_bytes(
        Encoding.Raw, PublicFormat.Raw
    )
    return seq, head, own


def _signed(run: str, seq: int, head: str) -> bytes:
    return json.dumps({"head": head, "run": run, "seq": seq}, separators=(",", ":")).encode()


def _run_key(keys: Path) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    path = private_folder(keys) / "run.pem"
    if not path.exists():
        fresh = Ed25519PrivateKey.generate()
        pem = fresh.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_atomic(path, pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path} holds no Ed25519 key")
    return key
