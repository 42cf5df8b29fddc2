"""Secrets of a home: names can be read, values cannot; found in the order that is documented; for granted nodes alone."""

from __future__ import annotations

import json
import resource
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.errors import ClientError
from polyphony_runner.grants.secrets import SecretSource, leave_no_core_dump
from polyphony_runner.home import Home
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.secret_box import Stretching, open_box, seal
from polyphony_runner.secret_store import PASSPHRASE_VARIABLE, KeptSecret, SecretStore

VALUE = b"a-rather-secret-value"


class MemoryKeyring:
    """The calls of a keyring, in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, name: str, /) -> str | None:
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, secret: str, /) -> None:
        self.kept[service, name] = secret

    def delete_password(self, service: str, name: str, /) -> None:
        del self.kept[service, name]


class BrokenKeyring(MemoryKeyring):
    """A keyring that nobody unlocked."""

    def get_password(self, service: str, name: str, /) -> str | None:
        raise RuntimeError("locked")


def refused(code: str, act: Callable[[], object]) -> ClientError:
    with pytest.raises(ClientError) as caught:
        act()
    assert caught.value.code == code
    assert VALUE.decode() not in caught.value.message + caught.value.hint
    return caught.value


def test_values_are_encrypted_and_only_for_the_owner(tmp_path: Path) -> None:
    store = SecretStore(tmp_path / "home")
    assert store.set("TOKEN", VALUE) == KeptSecret("TOKEN", "file")
    assert store.set("OTHER", b"another-value").place == "file"
    again = SecretStore(tmp_path / "home")
    assert again.get("TOKEN") == VALUE
    assert again.get("ABSENT") is None
    assert [one.name for one in again.names()] == ["OTHER", "TOKEN"]
    for path in (store.path, store.key_path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert VALUE not in path.read_bytes()
    again.remove("TOKEN")
    assert again.get("TOKEN") is None
    refused("PLY3713", lambda: again.remove("TOKEN"))


def test_a_passphrase_is_needed_to_read_and_asked_for_once(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        return "open sesame"

    SecretStore(tmp_path, environment={}, ask=ask).set("TOKEN", VALUE, passphrase=True)
    reader = SecretStore(tmp_path, environment={}, ask=ask)
    assert reader.locked
    reader.unlock()
    assert not reader.locked
    assert (reader.get("TOKEN"), reader.get("TOKEN"), len(asked)) == (VALUE, VALUE, 3)
    assert SecretStore(tmp_path, environment={PASSPHRASE_VARIABLE: "open sesame"}).get("TOKEN") == VALUE
    assert not (tmp_path / "secrets.key").exists()
    refused("PLY3712", lambda: SecretStore(tmp_path, environment={}).get("TOKEN"))
    wrong = SecretStore(tmp_path, environment={PASSPHRASE_VARIABLE: "open barley"})
    refused("PLY3712", lambda: wrong.get("TOKEN"))
    refused("PLY3712", lambda: wrong.set("MORE", VALUE))


def test_a_passphrase_with_a_slip_keeps_nothing(tmp_path: Path) -> None:
    typed = iter(["open sesame", "open sesam"])
    store = SecretStore(tmp_path, environment={}, ask=lambda _: next(typed))
    refused("PLY3712", lambda: store.set("TOKEN", VALUE, passphrase=True))
    assert store.names() == []


def test_a_store_with_a_key_file_takes_no_passphrase_later(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.set("TOKEN", VALUE)
    refused("PLY3712", lambda: store.set("MORE", VALUE, passphrase=True))
    store.remove("TOKEN")
    SecretStore(tmp_path, ask=lambda _: "open sesame").set("MORE", VALUE, passphrase=True)


def test_a_keyring_holds_the_values_where_there_is_one(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    store = SecretStore(tmp_path, keyring)
    assert store.set("TOKEN", VALUE).place == "keyring"
    assert list(keyring.kept.values()) == [VALUE.decode()]
    assert VALUE not in store.path.read_bytes()
    assert store.get("TOKEN") == VALUE
    assert SecretStore(tmp_path / "other", keyring).get("TOKEN") is None
    refused("PLY3714", lambda: SecretStore(tmp_path).get("TOKEN"))
    refused("PLY3714", lambda: SecretStore(tmp_path, BrokenKeyring()).get("TOKEN"))
    store.remove("TOKEN")
    assert keyring.kept == {}


@pytest.mark.parametrize("name", ["secrets.json", "secrets.key"])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, name: str) -> None:
    SecretStore(tmp_path).set("TOKEN", VALUE)
    (tmp_path / name).chmod(0o640)
    refused("PLY3710", lambda: SecretStore(tmp_path).get("TOKEN"))


def test_an_entry_that_was_moved_or_changed_does_not_open(tmp_path: Path) -> None:
    store = SecretStore(tmp_path)
    store.set("ONE", VALUE)
    store.set("TWO", b"the-other-value")
    document = json.loads(store.path.read_bytes())
    entries = document["entries"]
    entries["ONE"], entries["TWO"] = entries["TWO"], entries["ONE"]
    store.path.write_text(json.dumps(document))
    refused("PLY3711", lambda: SecretStore(tmp_path).get("ONE"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"secrets": "v2", "entries": {}}',
        '{"secrets": "v1"}',
        '{"secrets": "v1", "entries": {"A": {"box": "AAAA"}}}',
        '{"secrets": "v1", "key": {"kind": "other", "check": ""}, "entries": {}}',
        '{"secrets": "v1", "entries": {"a b": {"keyring": true}}}',
    ],
)
def test_a_broken_file_is_said_and_never_overwritten(tmp_path: Path, text: str) -> None:
    store = SecretStore(tmp_path)
    store.path.write_text(text)
    store.path.chmod(0o600)
    refused("PLY3711", store.names)
    refused("PLY3711", lambda: store.set("TOKEN", VALUE))
    assert store.path.read_text() == text


def test_a_lost_or_foreign_key_is_said(tmp_path: Path) -> None:
    SecretStore(tmp_path).set("TOKEN", VALUE)
    key = tmp_path / "secrets.key"
    key.write_bytes(bytes(32))
    refused("PLY3711", lambda: SecretStore(tmp_path).get("TOKEN"))
    key.unlink()
    refused("PLY3711", lambda: SecretStore(tmp_path).get("TOKEN"))


def test_weak_or_greedy_parameters_of_a_passphrase_are_refused(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, ask=lambda _: "open sesame")
    store.set("TOKEN", VALUE, passphrase=True)
    whole = json.loads(store.path.read_bytes())
    for changed in ({"n": 2}, {"n": 1 << 30}, {"r": 1}, {"p": 1000}, {"n": "65536"}, {"salt": 1}):
        document = {**whole, "key": {**whole["key"], **changed}}
        store.path.write_text(json.dumps(document))
        refused("PLY3711", lambda: SecretStore(tmp_path, ask=lambda _: "open sesame").get("TOKEN"))


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("1TOKEN", VALUE, "PLY3407"),
        ("A-B", VALUE, "PLY3407"),
        ("TOKEN", b"short", "PLY3408"),
        ("TOKEN", b"     \n", "PLY3408"),
        ("TOKEN", b"x" * 65537, "PLY3408"),
    ],
)
def test_what_cannot_be_masked_or_named_is_not_kept(
    tmp_path: Path, name: str, value: bytes, code: str
) -> None:
    store = SecretStore(tmp_path)
    refused(code, lambda: store.set(name, value))
    assert not store.path.exists()


@settings(max_examples=50)
@given(st.binary(max_size=200), st.text("ABC_", min_size=1, max_size=5), st.binary(min_size=32, max_size=32))
def test_a_box_opens_with_its_key_and_name_alone(value: bytes, name: str, key: bytes) -> None:
    box = seal(key, name, value)
    assert open_box(key, name, box) == value
    assert open_box(key, name + "X", box) is None
    assert open_box(bytes(byte ^ 1 for byte in key), name, box) is None
    assert open_box(key, name, box[:-4]) is None
    assert open_box(key, name, "no box") is None


def test_the_parameters_of_a_passphrase_come_back() -> None:
    fresh = Stretching.fresh()
    assert Stretching.read(fresh.to_json()) == fresh


def test_looks_in_the_store_then_the_environment_then_the_settings(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.config.write_text("secrets: {ONE: from-config, TWO: from-config, THREE: from-config}\n")
    home.config.chmod(0o600)
    store = SecretStore(home.root)
    store.set("ONE", b"from-store")
    found = SecretSource.of(home)
    source = SecretSource(found.store, {"ONE": "from-env", "TWO": "from-env"}, found.configured)
    secrets = source.look_up(("ONE", "TWO", "THREE", "FOUR"))
    assert secrets.values == {"ONE": b"from-store", "TWO": b"from-env", "THREE": b"from-config"}
    assert secrets.missing == ("FOUR",)
    home.config.chmod(0o644)
    assert source.look_up(("ONE", "TWO")).missing == ()
    refused("PLY3710", lambda: source.look_up(("THREE",)))


def test_settings_with_a_secret_that_is_no_text_do_not_show_it(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    home.config.write_text("secrets: {PIN: 12345678}\n")
    home.config.chmod(0o600)
    said = refused("PLY2651", lambda: SecretSource.of(home).look_up(("PIN",)))
    assert "12345678" not in said.message


def test_a_short_secret_is_refused_wherever_it_comes_from() -> None:
    with pytest.raises(NodeError) as caught:
        SecretSource(None, {"PIN": "1234"}).look_up(("PIN",))
    assert caught.value.code == "PLY3408"


def test_a_process_that_holds_secrets_leaves_no_core_dump() -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    try:
        leave_no_core_dump()
        assert resource.getrlimit(resource.RLIMIT_CORE)[0] <= 1
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, before)
