from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.encoding import encode_base64
from polyphony_schemas.trust.notes import (
    Checkpoint,
    NoteSigner,
    open_note,
    parse_checkpoint,
    parse_verifier_key,
    sign_checkpoint,
)

LOG = NoteSigner("registry.example/log", Ed25519PrivateKey.from_private_bytes(bytes([2]) * 32))
WITNESS = NoteSigner("witness.example/w1", Ed25519PrivateKey.from_private_bytes(bytes([3]) * 32))
CHECKPOINT = Checkpoint("registry.example/log", 4, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, [LOG])
KEYS = [LOG.verifier_key(), WITNESS.verifier_key(4)]
# The example of the signed-note specification.
EXAMPLE_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
EXAMPLE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ"
    "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)


def _refused(data: bytes) -> None:
    with pytest.raises(FormatError) as error:
        parse_checkpoint(open_note(data, KEYS).text)
    assert error.value.code == "PLY5005"


def test_the_example_of_the_specification_verifies() -> None:
    note = open_note(EXAMPLE.encode(), [parse_verifier_key(EXAMPLE_KEY)])
    assert note.text == "This is an example message.\n"


def test_a_checkpoint_survives_its_note() -> None:
    assert parse_checkpoint(open_note(NOTE, KEYS).text) == CHECKPOINT


def test_gives_the_time_of_a_cosignature_and_ignores_strangers() -> None:
    stranger = NoteSigner("stranger", Ed25519PrivateKey.from_private_bytes(bytes([4]) * 32))
    data = NOTE + (WITNESS.cosign(CHECKPOINT.text(), 1_790_000_005) + stranger.sign("other text\n")).encode()
    assert dict(open_note(data, KEYS).signers) == {LOG.name: None, WITNESS.name: 1_790_000_005}


def test_a_bad_signature_by_a_known_key_is_fatal() -> None:
    _refused(NOTE + WITNESS.cosign("other\n", 5).encode())
    _refused(NOTE.replace(b"\n4\n", b"\n5\n"))
    _refused(NOTE + LOG.sign(CHECKPOINT.text()).encode())


def test_refuses_an_impossible_time() -> None:
    with pytest.raises(FormatError, match="impossible time"):
        open_note(NOTE + WITNESS.cosign(CHECKPOINT.text(), 2**62).encode(), KEYS)


@pytest.mark.parametrize("size", ["+4", "04", "٤", "4 ", "-1", "", "9007199254740992", "1" * 5000])
def test_refuses_other_spellings_of_a_size(size: str) -> None:
    with pytest.raises(FormatError):
        parse_checkpoint(f"o\n{size}\n{encode_base64(bytes(32))}\n")


@pytest.mark.parametrize(
    "text",
    [
        "o\n4\n",
        f"o\n4\n{encode_base64(bytes(31))}\n",
        f"o\n4\n{encode_base64(bytes(32))}\nextension\n",
        f"\n4\n{encode_base64(bytes(32))}\n",
        f"o p\n4\n{encode_base64(bytes(32))}\n",
        "o\n4\n" + "A" * 42 + "B=\n",
    ],
)
def test_refuses_checkpoints_of_another_form(text: str) -> None:
    with pytest.raises(FormatError):
        parse_checkpoint(text)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n\n",
        NOTE[:-1],
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"log", b"l\0g"),
        NOTE.replace(b"log", b"l\tg"),
        NOTE.replace("—".encode(), b"-"),
        NOTE + "— a b c\n".encode(),
        NOTE + "— a AQ==\n".encode(),
        NOTE + "— stranger AAAAAAAR\n— stranger AAAAAB==\n".encode(),
        b"\xff" + NOTE,
        NOTE + b"x" * (1 << 20),
        NOTE + "— stranger AAAAAAAA\n".encode() * 70,
        b"<html>\n\nhello\n",
    ],
)
def test_refuses_notes_of_another_form(data: bytes) -> None:
    _refused(data)


def test_refuses_verifier_keys_that_are_cut_or_of_small_order() -> None:
    text = str(LOG.verifier_key())
    assert str(parse_verifier_key(text)) == text
    for start in range(len(text)):
        for end in (start, len(text) - 1, len(text)):
            if (start, end) != (0, len(text)):
                with pytest.raises(FormatError):
                    parse_verifier_key(text[start:end])
    one = bytes([1]) + (1).to_bytes(32, "little")
    with pytest.raises(FormatError):
        parse_verifier_key(f"registry.example/log+00000000+{encode_base64(one)}")


@given(st.integers(0), st.integers(0, 7))
def test_any_changed_bit_of_a_note_is_refused(place: int, bit: int) -> None:
    data = bytearray(NOTE)
    data[place % len(data)] ^= 1 << bit
    with pytest.raises(FormatError):
        open_note(bytes(data), KEYS)


@given(st.text(max_size=80))
def test_random_text_gives_only_our_error(text: str) -> None:
    for parse in (parse_checkpoint, parse_verifier_key, lambda value: open_note(value.encode(), KEYS)):
        with pytest.raises(FormatError) as error:
            parse(text)
        assert error.value.code == "PLY5005" or error.value.code == "PLY5004"
