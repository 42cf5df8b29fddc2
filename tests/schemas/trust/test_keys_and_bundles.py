from __future__ import annotations

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, utils
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.bundle import (
    InvalidSignatureError,
    UnauthorisedKeyError,
    pae,
    parse_bundle,
    sign_statement,
    verify_bundle,
)
from polyphony_schemas.trust.encoding import decode_base64, encode_base64
from polyphony_schemas.trust.keys import (
    Algorithm,
    KeySigner,
    derive_private_key,
    dump_private_key,
    load_private_key,
    parse_public_key,
    parse_raw_ed25519,
    public_der,
)

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")
PAYLOAD = b'{"a":1}'
ALGORITHMS: list[Algorithm] = ["ed25519", "ecdsa-p256", "ecdsa-p384"]


def _signer(algorithm: Algorithm = "ed25519", number: int = 1) -> KeySigner:
    return KeySigner(derive_private_key(algorithm, bytes([number]) * (32 if algorithm == "ed25519" else 64)))


def _add(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    (x1, y1), (x2, y2) = one, two
    k = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    return x, (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P


def _xs(y: int) -> list[int]:
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    root = pow(square, (P + 3) // 8, P)
    if root * root % P != square:
        root = root * pow(2, (P - 1) // 4, P) % P
    return [root, -root % P] if root * root % P == square else []


def test_every_point_whose_order_divides_eight_is_refused() -> None:
    # All of them, found by arithmetic: a point of order 8 doubled three times is the neutral element.
    eighth = next(
        point
        for y in (
            int.from_bytes(
                bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"
            ),
        )
        for point in ((x, y) for x in _xs(y))
    )
    found, point = set(), eighth
    for _ in range(8):
        found.add(point)
        point = _add(point, eighth)
    assert len(found) == 8
    assert (0, 1) in found
    for x, y in found:
        raw = (y | (x & 1) << 255).to_bytes(32, "little")
        with pytest.raises(FormatError, match="small order"):
            parse_raw_ed25519(raw)
        with pytest.raises(FormatError):
            parse_public_key(ED25519_PREFIX + raw)


def test_refuses_coordinates_that_are_not_reduced() -> None:
    with pytest.raises(FormatError, match="not reduced"):
        parse_raw_ed25519((P + 1).to_bytes(32, "little"))


def test_refuses_other_kinds_of_keys() -> None:
    spki = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for key in (
        rsa.generate_private_key(65537, 2048).public_key(),
        ec.derive_private_key(5, ec.SECP521R1()).public_key(),
        ec.derive_private_key(5, ec.SECP256K1()).public_key(),
    ):
        with pytest.raises(FormatError) as error:
            parse_public_key(key.public_bytes(*spki))
        assert error.value.code == "PLY5004"


def test_refuses_der_that_is_not_canonical() -> None:
    key = ec.derive_private_key(5, ec.SECP256R1()).public_key()
    with pytest.raises(FormatError):
        parse_public_key(public_der(key) + b"\0")


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_keys_survive_their_file_form_and_sign(algorithm: Algorithm) -> None:
    signer = _signer(algorithm)
    again = KeySigner(load_private_key(dump_private_key(signer.key)))
    assert again.public_key() == signer.public_key()
    key = parse_public_key(signer.public_key())
    assert key.algorithm == algorithm
    bundle = parse_bundle(sign_statement(PAYLOAD, again))
    assert verify_bundle(bundle, {key.hint: key}) is key


def test_an_ecdsa_signature_has_a_twin_so_it_identifies_nothing() -> None:
    signer = _signer("ecdsa-p256")
    key = parse_public_key(signer.public_key())
    r, s = utils.decode_dss_signature(signer.sign(b"x"))
    twin = utils.encode_dss_signature(r, ec.SECP256R1().group_order - s)
    assert key.verifies(b"x", twin)


@given(st.binary(max_size=120))
def test_random_keys_give_only_our_error(data: bytes) -> None:
    for parse in (parse_public_key, load_private_key, parse_raw_ed25519):
        try:
            parse(data)
        except FormatError as error:
            assert error.code == "PLY5004"


def _bundle(change: tuple[tuple[str | int, ...], object] | None = None) -> bytes:
    value: Any = json.loads(sign_statement(PAYLOAD, _signer()))
    if change is not None:
        here = value
        *path, last = change[0]
        for part in path:
            here = here[part]
        here[last] = change[1]
    return canonical.encode(value)


SIGNATURE = ("dsseEnvelope", "signatures", 0)
OTHER_HINT = encode_base64(bytes(32))


@pytest.mark.parametrize(
    "change",
    [
        (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.2"),
        (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.1"),
        (("unknown",), 1),
        (("messageSignature",), {}),
        (("verificationMaterial", "tlogEntries"), []),
        (("verificationMaterial", "tlogEntries"), [{"garbage": True}]),
        (("verificationMaterial", "timestampVerificationData"), {}),
        (("verificationMaterial", "certificate"), {"rawBytes": ""}),
        (("verificationMaterial", "x509CertificateChain"), {}),
        (("verificationMaterial", "publicKey", "hint"), OTHER_HINT),
        (("verificationMaterial", "publicKey", "hint"), ""),
        ((*SIGNATURE, "keyid"), ""),
        ((*SIGNATURE, "keyid"), OTHER_HINT),
        ((*SIGNATURE, "sig"), ""),
        ((*SIGNATURE, "sig"), "AR=="),
        (("dsseEnvelope", "payload"), "eyJhIjoxfR=="),
        (("dsseEnvelope", "payload"), 1),
        (("dsseEnvelope", "signatures"), []),
        (("dsseEnvelope", "signatures"), [{"sig": "AQ==", "keyid": ""}] * 2),
    ],
)
def test_refuses_bundles_that_other_readers_take(change: tuple[tuple[str | int, ...], object]) -> None:
    with pytest.raises(FormatError) as error:
        parse_bundle(_bundle(change))
    assert error.value.code == "PLY5003"


def test_takes_both_spellings_of_the_media_type() -> None:
    change = (("mediaType",), "application/vnd.dev.sigstore.bundle+json;version=0.3")
    assert parse_bundle(_bundle(change)).payload == PAYLOAD


def test_refuses_a_bundle_with_a_key_twice_or_of_too_many_bytes() -> None:
    doubled = _bundle().replace(b'{"dsseEnvelope"', b'{"mediaType":"x","dsseEnvelope"')
    for data in (doubled, b" " * 65_537, b"[]", b"{}"):
        with pytest.raises(FormatError) as error:
            parse_bundle(data)
        assert error.value.code == "PLY5003"


def test_tries_no_key_but_the_one_that_is_named() -> None:
    signer, other = _signer(), parse_public_key(_signer(number=2).public_key())
    key = parse_public_key(signer.public_key())
    bundle = parse_bundle(sign_statement(PAYLOAD, signer))
    with pytest.raises(UnauthorisedKeyError):
        verify_bundle(bundle, {other.hint: other, "": key})
    with pytest.raises(InvalidSignatureError):
        verify_bundle(bundle, {key.hint: other})
    wrong = parse_bundle(_bundle((("dsseEnvelope", "payloadType"), "text/plain")))
    with pytest.raises(InvalidSignatureError):
        verify_bundle(wrong, {key.hint: key})


def test_the_pae_counts_bytes_not_characters() -> None:
    assert pae("é", b"") == b"DSSEv1 2 \xc3\xa9 0 "


@given(st.integers(0), st.integers(0, 7))
def test_any_changed_bit_of_a_bundle_is_refused(place: int, bit: int) -> None:
    signer = _signer()
    key = parse_public_key(signer.public_key())
    data = bytearray(sign_statement(PAYLOAD, signer))
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(FormatError):
        verify_bundle(parse_bundle(bytes(data)), {key.hint: key})


@given(st.binary(max_size=9))
def test_base64_has_one_spelling(data: bytes) -> None:
    text = encode_base64(data)
    assert decode_base64(text, len(data)) == data
    for other in (text + "\n", text + "=", " " + text):
        with pytest.raises(ValueError, match="base64"):
            decode_base64(other)


def test_signers_can_be_anything_with_the_two_methods() -> None:
    class Token:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([9]) * 32)

        def public_key(self) -> bytes:
            return public_der(self.key.public_key())

        def sign(self, message: bytes) -> bytes:
            return self.key.sign(message)

    key = parse_public_key(Token().public_key())
    assert verify_bundle(parse_bundle(sign_statement(PAYLOAD, Token())), {key.hint: key}) is key
