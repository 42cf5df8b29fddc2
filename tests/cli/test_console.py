"""What packages, nodes and servers say reaches the terminal as text, never as commands to it."""

from __future__ import annotations

import json

import pytest

from polyphony_cli.console import Console, json_text, plain, report_error
from polyphony_schemas.errors import PolyphonyError

HOSTILE = "\x1b]0;title\x07\x1b[2J\x9b31m\u202egpj.exe\rgone\x7f\u2028"


def test_control_and_direction_characters_are_shown_as_escapes() -> None:
    assert plain("tab\tline\nümläut ✓ 漢") == "tab\tline\nümläut ✓ 漢"
    assert plain(HOSTILE).isprintable()
    assert "\\x1b[2J" in plain(HOSTILE)


def test_json_for_a_terminal_says_the_same_value() -> None:
    everything = "".join(map(chr, range(0x3000))) + "\ud800"
    text = json_text({everything: [everything]})
    assert json.loads(text) == {everything: [everything]}
    assert all(char == " " or char.isprintable() for char in json_text(HOSTILE))


def test_lines_talk_and_errors_are_neutralised(capsys: pytest.CaptureFixture[str]) -> None:
    console = Console()
    console.line(HOSTILE)
    console.say(HOSTILE)
    Console(as_json=True).document({"name": HOSTILE})
    report_error(PolyphonyError("PLY0000", HOSTILE, hint=HOSTILE), as_json=False)
    report_error(PolyphonyError("PLY0000", HOSTILE, hint=HOSTILE), as_json=True)
    out, err = capsys.readouterr()
    assert all(line.isprintable() for line in (out + err).split("\n"))
