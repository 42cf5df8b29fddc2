"""What the machine does to a call: closed or full streams, an encoding without our signs, a folder without rights."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from polyphony_cli.app import cli, hoist, run
from polyphony_cli.commands import artifacts, key, registry_server
from polyphony_cli.console import unusable

CALL = "import sys; from polyphony_cli.main import main; sys.exit(main())"
needs_full_device = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")


def call(
    home: Path, words: str, *, redirect: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """A call by a shell, which can close a stream as no library of Python does."""
    return subprocess.run(
        ["/bin/sh", "-c", f'exec "$0" -c "$CALL" --home "$ROOM" {words} {redirect}', sys.executable],
        env={**os.environ, "CALL": CALL, "ROOM": str(home), **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize("redirect", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize(
    ("words", "status"), [("runs", 0), ("--help", 0), ("show r_none", 1), ("login http://127.0.0.1:1", 2)]
)
def test_a_closed_stream_changes_neither_outcome_nor_status(
    tmp_path: Path, words: str, status: int, redirect: str
) -> None:
    done = call(tmp_path, words, redirect=redirect)
    assert done.returncode == status
    assert "Traceback" not in done.stderr


@needs_full_device
@pytest.mark.parametrize("words", ["runs", "--help", "--json runs"])
def test_output_on_a_full_disk_is_said_on_stderr(tmp_path: Path, words: str) -> None:
    done = call(tmp_path, "key new", redirect=">/dev/null")
    assert done.returncode == 0
    done = call(tmp_path, words if words != "runs" else "key list", redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("error[PLY7004]: writing failed: no space left on device\nhint: free ")


@needs_full_device
def test_an_error_document_that_cannot_be_written_is_said_for_people(tmp_path: Path) -> None:
    done = call(tmp_path, "--json show r_none", redirect=">/dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("error[PLY2402]: there is no run")


def test_signs_and_names_pass_a_terminal_that_has_not_got_them(tmp_path: Path) -> None:
    word = "größer-世界-\U0001f600"
    asked = call(tmp_path, f"show {word}", PYTHONIOENCODING="ascii")
    assert (asked.returncode, asked.stderr.isascii()) == (1, True)
    document = call(tmp_path, f"--json show {word}", PYTHONIOENCODING="ascii").stdout
    assert document.isascii()
    assert word in json.loads(document)["error"]["message"]


@pytest.mark.parametrize("words", [[], ["registry"], ["key"], ["registry", "user"]])
def test_a_group_without_a_verb_shows_its_help(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.startswith(f"Usage: {' '.join(['polyphony', *words])} ")) == ("", True)
    assert run(["--json", *words]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["message"] == "missing command"


@pytest.mark.parametrize("words", [["key", "nwe"], ["artifacts", "lst"], ["registry", "user", "ad"]])
def test_a_mistyped_verb_of_any_group_is_answered_with_the_nearest(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error[PLY7001]: there is no verb {words[-1]!r}\nhint: did you mean ")


def test_a_mistyped_flag_is_answered_with_the_nearest_in_the_hint(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["run", "x", "--inptu", "a=1"]) == 2
    first, hint = capsys.readouterr().err.splitlines()
    assert first == "error[PLY7001]: no such option '--inptu'"
    assert hint.startswith("hint: did you mean '--input' or '--inputs'?; polyphony run --help; example: ")


def test_a_message_is_one_line_even_where_click_lists_choices(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["export", "x"]) == 2
    assert capsys.readouterr().err.splitlines()[0].endswith("missing option '--to'. Choose from: yaml, json")


def test_a_global_option_without_its_value_does_not_eat_the_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "--home"]) == 2
    assert "option '--home' requires an argument" in capsys.readouterr().err
    assert hoist(["runs", "--home", "x"]) == ["--home", "x", "runs"]


def test_a_right_that_is_missing_is_no_bug(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "keys"))

    monkeypatch.setattr(os, "mkdir", refuse)
    assert run(["--json", "--home", str(tmp_path), "key", "new"]) == 1
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "PLY7004"
    assert error["message"] == f"'{tmp_path / 'keys'}' cannot be used: permission denied"
    assert unusable(OSError(errno.EBADF, "Bad file descriptor")) is None


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    """Every verb below a command, with the words that call it."""
    context = click.Context(command)
    if not isinstance(command, click.Group):
        return [(path, command)]
    below = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, one in below if one is not None for leaf in leaves(one, f"{path} {name}")]


def shown(command: click.Command, path: str) -> str:
    """The help of a command in a terminal of 80 columns."""
    context = click.Context(command, info_name=path, terminal_width=80, help_option_names=["-h", "--help"])
    return command.get_help(context)


def test_every_verb_has_an_example_and_explains_each_option() -> None:
    found = leaves(cli, "polyphony")
    assert len(found) > 40
    for path, command in found:
        assert (command.epilog or "").startswith(f"Example: {path}"), path
        silent = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
        assert not silent, f"{path}: {silent}"


def test_every_help_fits_a_terminal_of_80_columns() -> None:
    for path, command in leaves(cli, "polyphony"):
        text = shown(command, path)
        assert not [line for line in text.splitlines() if len(line) > 80], path


def test_the_groups_cut_no_line_of_help() -> None:
    for group in (key.command, artifacts.command, registry_server.COMMANDS["user"]):
        assert "..." not in shown(group, "polyphony").split("Commands:")[1]
