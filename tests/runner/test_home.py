"""The home is its owner's alone."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from polyphony_runner.errors import ClientError
from polyphony_runner.files import private_folder, write_atomic
from polyphony_runner.home import Home, default_home


def test_a_new_home_and_everything_in_it_is_private(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "a" / "home")
    private_folder(home.store / "deep")
    for folder in (home.root, home.store, home.store / "deep"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    write_atomic(home.root / "x", b"1")
    write_atomic(home.root / "x", b"2")
    assert (home.root / "x").read_bytes() == b"2"
    assert stat.S_IMODE((home.root / "x").stat().st_mode) == 0o600
    assert sorted(one.name for one in home.root.iterdir()) == ["store", "x"]


def test_a_home_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home").chmod(0o777)
    with pytest.raises(ClientError) as caught:
        Home.at(tmp_path / "home")
    assert caught.value.code == "PLY6001"
    assert "chmod 700" in caught.value.hint


def test_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("")
    with pytest.raises(ClientError) as caught:
        Home.at(tmp_path / "home")
    assert caught.value.code == "PLY6002"


def test_the_environment_names_the_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POLYPHONY_HOME", str(tmp_path))
    assert default_home() == tmp_path
    monkeypatch.delenv("POLYPHONY_HOME")
    assert default_home().name == "polyphony"
