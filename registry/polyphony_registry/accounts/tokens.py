"""The format of API tokens: ``ply_`` + 32 random base62 characters + 6 of CRC-32, base62.

The checksum lets scanners and typing mistakes be told from real tokens without asking the database. Only the
SHA-256 of a token is stored; 190 bits of randomness need no salt.

>>> body = "0" * 32
>>> is_wellformed("ply_" + body + checksum(body))
True
>>> is_wellformed("ply_" + body + "000000")
False
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib

PREFIX = "ply_"
_ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_SHAPE = re.compile(r"ply_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


def checksum(body: str) -> str:
    """Six base62 digits of the CRC-32 of the random part."""
    number = zlib.crc32(body.encode())
    digits = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        digits = _ALPHABET[digit] + digits
    return digits


def new_token() -> str:
    """A fresh token; shown once, never stored."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(32))
    return PREFIX + body + checksum(body)


def is_wellformed(token: str) -> bool:
    """Whether shape and checksum are right."""
    match = _SHAPE.fullmatch(token)
    return match is not None and checksum(match[1]) == match[2]


def token_digest(token: str) -> str:
    """What is stored: SHA-256, hex."""
    return hashlib.sha256(token.encode()).hexdigest()
