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
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints


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


def _hash_in_base64(text: str) -> str:
    decode_base64(text, 32)
    return text


# 64 lower-case hexadecimal digits.
HexDigest = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
# A SHA-256 value as base64, the form of key hints and of proof hashes.
Base64Digest = Annotated[str, AfterValidator(_hash_in_base64)]
# The number 1 and nothing equal to it: ``Literal[1]`` would take ``true``.
One = Annotated[int, Field(ge=1, le=1)]
