"""Public keys that may sign, and the Protocol of what signs.

Keys travel as SubjectPublicKeyInfo in DER; three kinds are taken: Ed25519, ECDSA P-256 with SHA-256, ECDSA P-384
with SHA-384. A key's id, its *hint*, is the base64 of the SHA-256 of that DER.

>>> key = parse_public_key(decode_base64("MCowBQYDK2VwAyEAiojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w="))
>>> key.algorithm, key.hint
('ed25519', '/RENMB0vB33hQUuPmfRBsUA/qyB7IFL70sBl5O6OfcI=')

An Ed25519 key of small order verifies one fixed signature over every message, so such points are refused when a
key is read, as are encodings of a coordinate that is not reduced and any DER that is not the canonical one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, Protocol, TypeAlias

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.encoding import decode_base64, encode_base64, sha256

Algorithm = Literal["ed25519", "ecdsa-p256", "ecdsa-p384"]
PrivateKey: TypeAlias = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_CODE = "PLY5004"
_CURVES: dict[str, tuple[Algorithm, hashes.HashAlgorithm]] = {
    "secp256r1": ("ecdsa-p256", hashes.SHA256()),
    "secp384r1": ("ecdsa-p384", hashes.SHA384()),
}
_FIELD = 2**255 - 19
# The y coordinates of the eight points whose order divides 8 (orders 1, 2, 4 and the two pairs of order 8).
_SMALL_ORDER_Y = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        int.from_bytes(
            bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
        ),
        int.from_bytes(
            bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
        ),
    }
)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that was checked. ``spki`` is its DER, ``hint`` its id."""

    spki: bytes
    algorithm: Algorithm
    hint: str
    _key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Say whether ``signature`` is this key's over ``message``."""
        try:
            if isinstance(self._key, ed25519.Ed25519PublicKey):
                self._key.verify(signature, message)
            else:
                self._key.verify(signature, message, ec.ECDSA(_CURVES[self._key.curve.name][1]))
        except InvalidSignature:
            return False
        return True


class Signer(Protocol):
    """What can sign: a key file, a command in front of a token, a service.

    ``public_key`` gives the SubjectPublicKeyInfo DER; ``sign`` gives an Ed25519 signature of 64 bytes or a DER
    ECDSA signature over the message it is handed, and raises a ``PolyphonyError`` when it cannot.
    """

    def public_key(self) -> bytes:
        """Give the SubjectPublicKeyInfo DER."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Give the signature over ``message``."""
        ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """The ``Signer`` over a private key in memory."""

    key: PrivateKey = field(repr=False)

    def public_key(self) -> bytes:
        """Give the SubjectPublicKeyInfo DER."""
        return public_der(self.key.public_key())

    def sign(self, message: bytes) -> bytes:
        """Give the signature over ``message``, with the hash that belongs to the curve."""
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(message)
        return self.key.sign(message, ec.ECDSA(_CURVES[self.key.curve.name][1]))


@lru_cache(maxsize=256)
def parse_public_key(spki: bytes) -> PublicKey:
    """Read and check a key; ``FormatError`` PLY5004 for other kinds, small order, DER that is not canonical."""
    try:
        key = serialization.load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm):
        raise _refused("bytes that are no public key in DER") from None
    if isinstance(key, ed25519.Ed25519PublicKey):
        check_ed25519_point(key.public_bytes_raw())
        algorithm: Algorithm = "ed25519"
    elif isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES:
        algorithm = _CURVES[key.curve.name][0]
    else:
        raise _refused("a key of another kind")
    if public_der(key) != spki:
        raise _refused("a key whose DER is not canonical")
    return PublicKey(spki, algorithm, hint_of(spki), key)


def parse_raw_ed25519(raw: bytes) -> ed25519.Ed25519PublicKey:
    """Read the 32 bytes of an Ed25519 key, with the same refusals."""
    check_ed25519_point(raw)
    return ed25519.Ed25519PublicKey.from_public_bytes(raw)


def check_ed25519_point(raw: bytes) -> None:
    """Refuse points of small order and coordinates that are not reduced."""
    if len(raw) != 32:
        raise _refused(f"an Ed25519 key of {len(raw)} bytes")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y >= _FIELD:
        raise _refused("an Ed25519 key whose coordinate is not reduced")
    if y in _SMALL_ORDER_Y:
        raise _refused("an Ed25519 key of small order")


def hint_of(spki: bytes) -> str:
    """Give the id of a key: base64 of the SHA-256 of its DER."""
    return encode_base64(sha256(spki))


def public_der(key: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey) -> bytes:
    """Give the SubjectPublicKeyInfo DER of a key."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def parse_spki_text(text: str) -> PublicKey:
    """Read a key from the base64 of its DER, the form of ``key.add`` records."""
    try:
        return parse_public_key(decode_base64(text))
    except ValueError as error:
        raise _refused(f"an spki that is {error}") from None


def derive_private_key(algorithm: Algorithm, entropy: bytes) -> PrivateKey:
    """Make a private key from random bytes the caller drew: 32 for Ed25519, 64 for the curves."""
    wanted = 32 if algorithm == "ed25519" else 64
    if len(entropy) != wanted:
        raise _refused(f"{len(entropy)} bytes of entropy, expected {wanted}")
    if algorithm == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(entropy)
    curve: ec.EllipticCurve = ec.SECP256R1() if algorithm == "ecdsa-p256" else ec.SECP384R1()
    return ec.derive_private_key(int.from_bytes(entropy, "big") % (curve.group_order - 1) + 1, curve)


def dump_private_key(key: PrivateKey) -> bytes:
    """Give the PKCS#8 PEM of a private key, not encrypted."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def load_private_key(pem: bytes) -> PrivateKey:
    """Read PKCS#8 PEM; ``FormatError`` PLY5004 for other kinds of key."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise _refused("bytes that are no private key in PEM (PKCS#8, not encrypted)") from None
    if not isinstance(key, (ed25519.Ed25519PrivateKey, ec.EllipticCurvePrivateKey)):
        raise _refused("a private key of another kind")
    parse_public_key(public_der(key.public_key()))
    return key


def _refused(what: str) -> FormatError:
    return FormatError(
        _CODE, f"{what}, expected Ed25519, P-256 or P-384", hint="make one with `polyphony key new`"
    )
