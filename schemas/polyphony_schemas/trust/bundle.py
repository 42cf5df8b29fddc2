"""Standard Sigstore bundles, version 0.3, of managed keys: one DSSE envelope around one statement.

::

    PAE    = "DSSEv1" SP len(type) SP type SP len(payload) SP payload      decimal lengths in bytes
    bundle = {"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
              "verificationMaterial": {"publicKey": {"hint": "<base64 SHA-256 of the SPKI DER>"}},
              "dsseEnvelope": {"payload": "<base64>", "payloadType": "application/vnd.in-toto+json",
                               "signatures": [{"sig": "<base64>", "keyid": "<the hint>"}]}}

The signature covers the PAE of the payload as received; nothing is serialised again to verify.

>>> pae("t", b"ab")
b'DSSEv1 1 t 2 ab'

Refused although other readers accept it: two signatures, a ``keyid`` that is not the hint, log entries or
timestamps beside a managed key, unknown members, base64 in another spelling, 0.1 and 0.2, more than 64 KiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.encoding import decode_base64, encode_base64, sha256_hex
from polyphony_schemas.trust.fields import Base64Digest
from polyphony_schemas.trust.keys import PublicKey, Signer, hint_of
from polyphony_schemas.trust.model import TrustModel
from polyphony_schemas.trust.statement import PAYLOAD_TYPE

_CODE = "PLY5003"
MAX_BYTES = 64 * 1024
MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json"

_Text = Annotated[str, StringConstraints(min_length=1)]


class _KeyHint(TrustModel):
    hint: Base64Digest


class _Material(TrustModel):
    public_key: _KeyHint = Field(alias="publicKey")


class _Signature(TrustModel):
    sig: _Text
    keyid: str


class _Envelope(TrustModel):
    payload: _Text
    payload_type: str = Field(alias="payloadType")
    signatures: Annotated[list[_Signature], Field(min_length=1, max_length=1)]


class _Bundle(TrustModel):
    media_type: Literal[
        "application/vnd.dev.sigstore.bundle.v0.3+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.3",
    ] = Field(alias="mediaType")
    material: _Material = Field(alias="verificationMaterial")
    envelope: _Envelope = Field(alias="dsseEnvelope")


@dataclass(frozen=True, slots=True)
class KeyBundle:
    """A bundle that was read, not yet verified. ``digest`` is the SHA-256 of its bytes as stored."""

    digest: str
    hint: str
    payload_type: str
    payload: bytes
    signature: bytes


class UnauthorisedKeyError(FormatError):
    """The bundle names a key that the caller did not authorise."""


class InvalidSignatureError(FormatError):
    """The signature is not the named key's over this payload."""


def pae(payload_type: str, payload: bytes) -> bytes:
    """Give the bytes that are signed: DSSE's pre-authentication encoding."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_statement(payload: bytes, signer: Signer) -> bytes:
    """Give the canonical bytes of the bundle in which ``signer`` signs the statement ``payload``."""
    hint = hint_of(signer.public_key())
    signature = signer.sign(pae(PAYLOAD_TYPE, payload))
    return canonical.encode(
        {
            "mediaType": MEDIA_TYPE,
            "verificationMaterial": {"publicKey": {"hint": hint}},
            "dsseEnvelope": {
                "payload": encode_base64(payload),
                "payloadType": PAYLOAD_TYPE,
                "signatures": [{"sig": encode_base64(signature), "keyid": hint}],
            },
        }
    )


def parse_bundle(data: bytes) -> KeyBundle:
    """Read a managed-key bundle; ``FormatError`` PLY5003. The signature is not looked at."""
    try:
        value = canonical.decode_object(data, max_bytes=MAX_BYTES, canonical=False)
    except FormatError as error:
        raise FormatError(_CODE, f"bundle: {error.message}") from None
    bundle = _Bundle.from_json(value, _CODE, "bundle")
    signature = bundle.envelope.signatures[0]
    hint = bundle.material.public_key.hint
    if signature.keyid != hint:
        raise FormatError(_CODE, f"bundle: keyid {signature.keyid!r} is not the hint {hint!r}")
    try:
        payload = decode_base64(bundle.envelope.payload)
        raw = decode_base64(signature.sig)
    except ValueError as error:
        raise FormatError(_CODE, f"bundle: payload or signature is {error}") from None
    return KeyBundle(sha256_hex(data), hint, bundle.envelope.payload_type, payload, raw)


def verify_bundle(bundle: KeyBundle, authorised: Mapping[str, PublicKey]) -> PublicKey:
    """Check the signature with the one key that the bundle names; no other key is tried.

    ``authorised`` is by hint. Raises ``UnauthorisedKeyError`` or ``InvalidSignatureError`` (both PLY5003).
    """
    key = authorised.get(bundle.hint)
    if key is None:
        raise UnauthorisedKeyError(
            _CODE, f"the bundle is signed by the key {bundle.hint!r}, which is not authorised"
        )
    if not key.verifies(pae(bundle.payload_type, bundle.payload), bundle.signature):
        raise InvalidSignatureError(
            _CODE, f"the signature is not by the key {bundle.hint!r} over this payload"
        )
    return key
