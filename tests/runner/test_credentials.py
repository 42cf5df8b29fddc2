"""Tokens: in the keyring where there is one, else in a file that is its owner's alone; to git by the environment."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest

from polyphony_runner.credentials import Credentials, Login, check_token, git_environment
from polyphony_runner.errors import ClientError

TOKEN = "ply_" + "a1" * 19
ONE = Login("one.example", "https://one.example", TOKEN)


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


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "home" / "credentials.json")
    credentials.keep(ONE)
    assert credentials.logins() == [ONE]
    assert stat.S_IMODE(credentials.path.stat().st_mode) == 0o600
    credentials.path.chmod(0o640)
    with pytest.raises(ClientError) as caught:
        credentials.logins()
    assert caught.value.code == "PLY6401"


def test_with_a_keyring_no_token_is_in_the_file(tmp_path: Path) -> None:
    keyring = MemoryKeyring()
    credentials = Credentials(tmp_path / "credentials.json", keyring)
    credentials.keep(ONE)
    assert TOKEN not in credentials.path.read_text()
    assert credentials.logins() == [ONE]
    keyring.kept.clear()
    assert credentials.logins() == []


def test_one_login_is_the_default_and_several_need_a_choice(tmp_path: Path) -> None:
    credentials = Credentials(tmp_path / "credentials.json")
    with pytest.raises(ClientError) as none:
        credentials.choose(None)
    credentials.keep(ONE)
    assert credentials.choose(None) == ONE
    two = Login("two.example", "http://127.0.0.1:8440", TOKEN)
    credentials.keep(two)
    with pytest.raises(ClientError) as several:
        credentials.choose(None)
    assert (none.value.code, several.value.code) == ("PLY6404", "PLY6405")
    assert credentials.choose("two.example") == credentials.choose("http://127.0.0.1:8440/") == two
    with pytest.raises(ClientError):
        credentials.choose("three.example")


@pytest.mark.parametrize(
    "text", ["[]", "{", '{"credentials": "v2"}', '{"credentials": "v1", "logins": {"a": 1}}']
)
def test_a_broken_file_says_so(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(ClientError) as caught:
        Credentials(path).logins()
    assert caught.value.code == "PLY6402"


def test_a_token_is_checked_before_it_is_kept() -> None:
    assert check_token(f" {TOKEN}\n") == TOKEN
    for text in ("", "password", "ply_short", TOKEN + " x", "ghp_" + "a" * 38):
        with pytest.raises(ClientError) as caught:
            check_token(text)
        assert caught.value.code == "PLY6403"
        assert not text or text not in caught.value.message


def test_git_gets_the_token_for_that_registry_alone_and_not_in_words() -> None:
    variables = git_environment(ONE)
    assert variables["GIT_CONFIG_KEY_0"] == "http.https://one.example/.extraHeader"
    encoded = variables["GIT_CONFIG_VALUE_0"].removeprefix("Authorization: Basic ")
    assert base64.b64decode(encoded).decode() == f"token:{TOKEN}"
    assert TOKEN not in json.dumps(variables)
