"""Values under one key: AES-256-GCM boxes, each bound to its name, and where the key comes from.

A box is Base64 of a random nonce of 12 bytes and the ciphertext with its tag. The name is authenticated with it: a box
that is moved to another name does not open. The key is 32 random bytes of a file, or scrypt (RFC 7914) of a passphrase.

>>> key = bytes(32)
>>> open_box(key, "TOKEN", seal(key, "TOKEN", b"word"))
b'word'
>>> open_box(key, "OTHER", seal(key, "TOKEN", b"word")) is None
True
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from polyphony_schemas.values import JsonValue

KEY_BYTES = 32
_NONCE = 12
_CONTEXT = b"polyphony secret v1\0"
_MOST_MEMORY = 1 << 28  # what a file may make us spend on one passphrase, in bytes


@dataclass(frozen=True, slots=True)
class Stretching:
    """Parameters of scrypt; 64 MiB and about a fifth of a second by default."""

    salt: str
    n: int = 1 << 16
    r: int = 8
    p: int = 1

    @classmethod
    def fresh(cls) -> Stretching:
        """With a new salt."""
        return cls(base64.b64encode(os.urandom(16)).decode())

    @classmethod
    def read(cls, value: Mapping[str, JsonValue]) -> Stretching:
        """From a document; ValueError for parameters that are weak, or would exhaust the memory."""
        salt, numbers = value["salt"], [value[name] for name in ("n", "r", "p")]
        if not isinstance(salt, str) or not all(type(one) is int for one in numbers):
            raise ValueError("the parameters of scrypt have the wrong type")
        n, r, p = (int(str(one)) for one in numbers)
        if n < 1 << 14 or n & (n - 1) or not 8 <= r <= 32 or not 1 <= p <= 4 or 128 * n * r > _MOST_MEMORY:
            raise ValueError("the parameters of scrypt are out of bounds")
        return cls(salt, n, r, p)

    def to_json(self) -> dict[str, JsonValue]:
        """As it stands in the document."""
        return asdict(self)

    def key(self, passphrase: str) -> bytes:
        """The key of a passphrase."""
        from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

        salt = base64.b64decode(self.salt, validate=True)
        return Scrypt(salt=salt, length=KEY_BYTES, n=self.n, r=self.r, p=self.p).derive(passphrase.encode())


def seal(key: bytes, name: str, value: bytes) -> str:
    """The box of a value, for this name alone."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE)
    return base64.b64encode(nonce + AESGCM(key).encrypt(nonce, value, _CONTEXT + name.encode())).decode()


def open_box(key: bytes, name: str, box: str) -> bytes | None:
    """The value; None when the key, the name or a byte is another one."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        data = base64.b64decode(box, validate=True)
        return AESGCM(key).decrypt(data[:_NONCE], data[_NONCE:], _CONTEXT + name.encode())
    except (InvalidTag, ValueError):
        return None
