"""Managed keys: made, listed, exported, imported, encrypted, taken from the environment."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.keys import KeyType, ManagedKeys, load_pem, private_pem
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.trust.keys import hint_of, parse_public_key


def nobody(question: str) -> str | None:
    return None


@pytest.fixture
def keys(tmp_path: Path) -> ManagedKeys:
    return ManagedKeys(tmp_path / "keys")


@pytest.mark.parametrize("kind", ["ed25519", "p256"])
def test_a_new_key_signs_and_is_the_owners_alone(keys: ManagedKeys, kind: KeyType) -> None:
    info = keys.new("mine", kind)
    signer = keys.signer("mine", nobody)
    public = parse_public_key(signer.public_key())
    assert public.verifies(b"text", signer.sign(b"text"))
    assert (public.hint, public.algorithm) == (info.hint, info.algorithm)
    assert not info.encrypted
    assert stat.S_IMODE((keys.folder / "mine.pem").stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.folder.stat().st_mode) == 0o700
    assert keys.list() == [info]


def test_the_only_key_is_the_default_and_two_need_a_choice(keys: ManagedKeys) -> None:
    with pytest.raises(ClientError, match="no signing key") as none:
        keys.signer(None, nobody)
    keys.new("one")
    assert keys.signer(None, nobody).public_key() == keys.signer("one", nobody).public_key()
    keys.new("two")
    with pytest.raises(ClientError, match="one, two") as several:
        keys.signer(None, nobody)
    assert none.value.code == several.value.code == "PLY6307"


def test_a_name_is_taken_once(keys: ManagedKeys) -> None:
    before = keys.new("mine").hint
    with pytest.raises(ClientError) as caught:
        keys.new("mine")
    assert caught.value.code == "PLY6301"
    assert keys.info("mine").hint == before


def test_an_encrypted_key_needs_its_passphrase(keys: ManagedKeys) -> None:
    info = keys.new("mine", passphrase="long words")
    assert info.encrypted
    assert b"ENCRYPTED" in (keys.folder / "mine.pem").read_bytes()
    answers = iter((None, "", "wrong"))
    for _ in range(3):
        with pytest.raises(ClientError) as caught:
            keys.signer("mine", lambda _: next(answers))
        assert caught.value.code == "PLY6304"
    assert keys.signer("mine", lambda _: "long words").sign(b"x")


def test_a_key_travels_by_export_and_import(keys: ManagedKeys, tmp_path: Path) -> None:
    info = keys.new("mine")
    pem = private_pem(keys.private("mine", nobody), "travel")
    other = ManagedKeys(tmp_path / "other")
    assert other.keep("same", load_pem(pem, "the file", lambda _: "travel")).hint == info.hint
    assert keys.public_pem("mine").startswith(b"-----BEGIN PUBLIC KEY-----")


def test_takes_a_key_from_the_environment(keys: ManagedKeys) -> None:
    keys.new("mine")
    pem = private_pem(keys.private("mine", nobody)).decode()
    other = ManagedKeys(keys.folder, {"KEY": pem})
    assert other.signer("env:KEY", nobody).public_key() == keys.signer("mine", nobody).public_key()
    with pytest.raises(ClientError) as caught:
        other.signer("env:NONE", nobody)
    assert caught.value.code == "PLY6305"


def test_refuses_a_key_file_that_others_may_read(keys: ManagedKeys) -> None:
    keys.new("mine")
    (keys.folder / "mine.pem").chmod(0o644)
    with pytest.raises(ClientError) as caught:
        keys.signer("mine", nobody)
    assert caught.value.code == "PLY6303"
    assert "chmod 600" in caught.value.hint


@pytest.mark.parametrize("name", ["../up", "", "A", "a b", ".hidden", "unknown"])
def test_refuses_unknown_and_unsafe_names(keys: ManagedKeys, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        keys.private(name, nobody)
    assert caught.value.code == "PLY6302"


def test_refuses_what_is_no_key(keys: ManagedKeys) -> None:
    with pytest.raises(PolyphonyError) as caught:
        load_pem(b"hello", "the file", nobody)
    assert caught.value.code == "PLY5004"


def test_the_key_that_signs_journals_signs_no_package(keys: ManagedKeys) -> None:
    chosen = keys.new("release")
    keys.folder.joinpath("run.pem").write_bytes(keys.folder.joinpath("release.pem").read_bytes())
    assert [info.name for info in keys.list()] == ["release"]
    assert hint_of(keys.signer(None, lambda _: None).public_key()) == chosen.hint
    with pytest.raises(ClientError) as refused:
        keys.new("run")
    assert refused.value.code == "PLY6302"
