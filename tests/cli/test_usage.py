"""The command line as somebody meets it who types something wrong, asks for help, or completes a word."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from polyphony_cli.app import VERBS, run
from polyphony_cli.main import VERSION

LIGHT = """
import sys
from polyphony_cli.app import run
run({call!r})
print(sorted(name for name in sys.modules if name.split('.')[0] in ('pydantic', 'yaml', 'polyphony_runner', 'polyphony_registry')))
"""


def test_an_unknown_verb_is_answered_with_the_nearest_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shwo"]) == 2
    assert capsys.readouterr().err == "error[PLY7001]: there is no verb 'shwo'\nhint: did you mean 'show'?\n"


def test_a_verb_like_none_is_answered_with_where_they_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["registry", "xyzzyq"]) == 2
    assert "hint: polyphony registry --help lists the verbs" in capsys.readouterr().err


def test_a_missing_argument_is_named_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "show"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "PLY7001"
    assert error["message"] == "missing argument 'RUN'"
    assert error["hint"].startswith("polyphony show --help; example: polyphony show r_")


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_it_does_and_shows_a_call(
    verb: str, flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([verb, flag]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: polyphony {verb} ")
    assert f"Example: polyphony {verb}" in text
    assert VERBS[verb].example.startswith(f"polyphony {verb}")


def test_the_version_is_said_among_other_flags_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "--version"]) == 0
    assert capsys.readouterr().out == f"polyphony {VERSION}\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_prints_what_a_shell_needs_and_imports_nothing_heavy(shell: str) -> None:
    code = LIGHT.format(call=["completion", shell])
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "_POLYPHONY_COMPLETE" in out
    assert out.endswith("[]\n")


def completed(words: str) -> list[str]:
    """What bash would be told for the last of these words."""
    environment = {
        **os.environ,
        "_POLYPHONY_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    program = Path(sys.executable).parent / "polyphony"
    out = subprocess.run([program], env=environment, capture_output=True, text=True, check=False).stdout
    return [line.partition(",")[2] for line in out.splitlines()]


def test_completes_verbs_flags_and_choices() -> None:
    assert completed("polyphony un") == ["uninstall"]
    assert completed("polyphony registry s") == ["serve"]
    assert "--accept-permissions" in completed("polyphony run --a")
    assert completed("polyphony completion z") == ["zsh"]


@pytest.mark.parametrize("shell", [one for one in ("bash", "zsh", "fish") if shutil.which(one)])
def test_the_shell_accepts_what_is_printed(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["completion", shell]) == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out, "utf-8")
    subprocess.run([shell, "-n", script], check=True, timeout=120)


def test_an_interrupt_ends_with_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("polyphony_cli.app.cli.main", interrupted)
    assert run(["runs"]) == 130


def test_flags_that_ask_for_what_happens_anyway_are_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "melody.yaml").write_text(
        "melody: v1\nname: tiny\nversion: 1.0.0\nnodes: {a: {uses: core/set, with: {n: 1}}}\n"
        "config: {retention: {keep: 3}, notify: [{on: [failed], email: {to: [a@b.example]}}]}\n"
    )
    home = str(tmp_path / "home")
    assert run(["--json", "--home", home, "run", str(tmp_path), "--no-cache", "--executor", "local"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["status"] == "succeeded"
    assert "note: this version does nothing yet with config.notify" in said.err
