"""One command, word by word."""

from __future__ import annotations

from pathlib import Path

from support.kit_packages import Kit


def test_runs_in_the_folder_with_variables_and_standard_input(kit: Kit, project: Path) -> None:
    (project / "here.txt").write_text("x")
    words = {"argv": ["sh", "-c", 'ls; echo "$WORD"; cat; echo oh >&2'], "env": {"WORD": "hi"}, "stdin": "in"}
    given = kit.succeed(
        "command", inputs={"path": str(project)}, parameters=words, grants={"read": (str(project),)}
    )
    assert given == {"stdout": "here.txt\nhi\nin", "stderr": "oh\n", "status": 0}
    assert "here.txt" in kit.log()


def test_other_statuses_are_an_exit_unless_they_are_expected(kit: Kit) -> None:
    failed = kit.fail("command", parameters={"argv": ["sh", "-c", "echo no luck >&2; exit 3"]})
    assert (failed.kind, failed.message) == ("exit", "sh ended with status 3: no luck")
    assert kit.succeed("command", parameters={"argv": ["false"], "ok": [0, 1]})["status"] == 1


def test_words_are_never_read_by_a_shell(kit: Kit) -> None:
    assert kit.succeed("command", parameters={"argv": ["echo", "$HOME; ls"]})["stdout"] == "$HOME; ls\n"


def test_a_program_that_is_not_there_says_what_to_do(kit: Kit) -> None:
    failed = kit.fail("command", parameters={"argv": ["no-such-program"]})
    assert failed.kind == "configuration"
    assert "name it under run" in failed.message


def test_the_folder_it_only_reads_cannot_be_changed(kit: Kit, project: Path) -> None:
    failed = kit.fail(
        "command",
        inputs={"path": str(project)},
        parameters={"argv": ["touch", "new"]},
        grants={"read": (str(project),)},
    )
    assert failed.kind == "exit"
    assert not list(project.iterdir())
