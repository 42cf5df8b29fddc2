"""Field types that the signed documents share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from polyphony_schemas.trust.encoding import decode_base64


def _hash_in_base64(text: str) -> str:
    decode_base64(text, 32)
    return text


# 64 lower-case hexadecimal digits.
HexDigest = Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{64}\z")]
# A SHA-256 value as base64, the form of key hints and of proof hashes.
Base64Digest = Annotated[str, AfterValidator(_hash_in_base64)]
# The number 1 and nothing equal to it: ``Literal[1]`` would take ``true``.
One = Annotated[int, Field(ge=1, le=1)]
