"""The bounds around git programs: slots, and nothing left behind when a client goes away."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_registry.errors import BusyError
from polyphony_registry.git.environment import git_environment
from polyphony_registry.git.hosting import GitProgram
from polyphony_registry.git.protocol import Repository
from support.registry_running import new_registry

SHOUT = Repository("acme", "shout")


def test_a_full_house_is_told_to_come_back_and_a_freed_slot_is_used(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data", git_slots=1, git_wait=0.05)
    git = GitProgram(settings)
    git.create(SHOUT)
    first = git.advertise(SHOUT, "upload-pack", None)
    with pytest.raises(BusyError) as refused:
        git.advertise(SHOUT, "upload-pack", None)
    assert (refused.value.status, refused.value.code) == (503, "PLY4005")
    first.close()  # type: ignore[attr-defined]  # what the server calls when the client went away
    assert b"".join(git.advertise(SHOUT, "upload-pack", "version=2")).startswith(b"000eversion 2")
    assert b"".join(git.advertise(SHOUT, "upload-pack", "version=2; rm -rf /")).find(b"version 2") == -1


def test_two_makers_of_one_repository_both_succeed(tmp_path: Path) -> None:
    settings, _ = new_registry(tmp_path / "data")
    one, other = GitProgram(settings), GitProgram(settings)
    one.create(SHOUT)
    other.create(SHOUT)
    assert one.exists(SHOUT)
    assert [path.name for path in (settings.repositories / "acme").iterdir()] == ["shout.git"]


def test_git_sees_nothing_of_the_machine_but_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", "/elsewhere")
    monkeypatch.setenv("SECRET", "x")
    settings, _ = new_registry(tmp_path / "data")
    environment = git_environment(settings, "version=9")
    assert "SECRET" not in environment
    assert "GIT_DIR" not in environment
    assert "GIT_PROTOCOL" not in environment
    assert environment["HOME"] == "/nonexistent"
