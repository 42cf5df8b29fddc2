"""Strict text encodings of bytes: one spelling for one value.

``base64`` of Python takes ``AQ==`` and ``AR==`` for the same byte; here only the spelling that encoding would give
is read.

>>> decode_base64("AQ==")
b'\\x01'
>>> decode_base64("AR==")
Traceback (most recent call last):
ValueError: not canonical base64
"""

from __future__ import annotations

import binascii
import hashlib


def sha256(data: bytes) -> bytes:
    """32 raw bytes of SHA-256."""
    return hashlib.sha256(data).digest()


def sha256_hex(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def encode_base64(data: bytes) -> str:
    """Encode as standard base64 with padding, no line breaks."""
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def decode_base64(text: str, length: int | None = None) -> bytes:
    """Decode standard base64; ``ValueError`` for any other spelling or another ``length`` in bytes."""
    try:
        data = binascii.a2b_base64(text.encode("ascii"))
    except (ValueError, UnicodeEncodeError):
        raise ValueError("not base64") from None
    if encode_base64(data) != text:
        raise ValueError("not canonical base64")
    if length is not None and len(data) != length:
        raise ValueError(f"{len(data)} bytes in base64, expected {length}")
    return data
