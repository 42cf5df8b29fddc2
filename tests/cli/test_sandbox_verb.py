"""``polyphony sandbox`` and ``polyphony doctor`` as programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.sandbox_box import processes_with


def polyphony(home: Path, *words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "polyphony_cli.main", "--home", str(home), *words],
        input=stdin,
        capture_output=True,
        env={"PATH": os.environ["PATH"], "HOME": str(home), "GIVEN": "from the shell"},
        check=False,
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def test_the_exit_status_and_streams_are_the_commands(home: Path) -> None:
    done = polyphony(home, "sandbox", "--", "sh", "-c", "cat; echo talk >&2; exit 5", stdin=b"given")
    assert (done.returncode, done.stdout, done.stderr) == (5, b"given", b"talk\n")


def test_reads_writes_and_environment_are_what_was_named(home: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "file").write_text("shown")
    made = tmp_path / "made"
    made.mkdir()
    done = polyphony(
        home,
        "sandbox",
        *("--read", f"{project}:/src/p", "--write", str(made), "--env", "GIVEN", "--env", "OWN=1"),
        *("--", "sh", "-c", f"cat /src/p/file; echo $GIVEN$OWN$PWD > {made}/out; ! touch /src/p/x"),
    )
    assert (done.returncode, done.stdout) == (0, b"shown"), done.stderr
    assert (made / "out").read_text() == "from the shell1/ws\n"
    assert (made / "out").stat().st_uid == os.geteuid()


def test_a_limit_ends_it_with_a_typed_error(home: Path) -> None:
    done = polyphony(home, "sandbox", "--limit", "timeout=300ms", "--", "sleep", "60")
    assert done.returncode == 1
    assert b"error[PLY3009]: timeout:" in done.stderr


def test_json_is_one_document(home: Path) -> None:
    done = polyphony(home, "--json", "sandbox", "--limit", "output=1KiB", "--", "yes")
    document = json.loads(done.stdout)
    assert (done.returncode, document["kind"]) == (1, "output")
    document = json.loads(polyphony(home, "--json", "sandbox", "--", "echo", "hi").stdout)
    assert (document["kind"], document["status"], document["stdout"]) == (None, 0, "hi\n")


def test_a_missing_command_is_said_so(home: Path) -> None:
    done = polyphony(home, "sandbox", "--", "no-such-program")
    assert done.returncode == 1
    assert b"PLY3012" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("--limit", "speed=9"),
        ("--limit", "memory=lots"),
        ("--read", "/no/such/path"),
        ("--env", "NOT_SET_ANYWHERE"),
        ("--network", "example.com"),
    ],
)
def test_words_that_make_no_sense_are_refused_with_a_hint(home: Path, words: tuple[str, str]) -> None:
    done = polyphony(home, "sandbox", *words, "--", "true")
    assert done.returncode in (1, 2)
    assert b"hint: " in done.stderr


def test_doctor_reports_the_level(home: Path) -> None:
    done = polyphony(home, "--json", "doctor")
    document = json.loads(done.stdout)
    assert (done.returncode, document["ok"]) == (0, True)
    assert document["sandbox"]["level"] == ("full-privileged" if os.geteuid() == 0 else "full")
    assert polyphony(home, "doctor").stdout.startswith(b"sandbox: full")


def test_an_interrupt_ends_the_command_and_leaves_nothing(home: Path) -> None:
    marker = f"interrupted-{home.parent.name}"
    words = ["--home", str(home), "sandbox", "--", "sh", "-c", f"echo up; sleep 300 # {marker}"]
    with subprocess.Popen(
        [sys.executable, "-m", "polyphony_cli.main", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"], "HOME": str(home)},
    ) as program:
        assert program.stdout is not None
        assert program.stdout.readline() == b"up\n"
        program.send_signal(signal.SIGINT)
        assert program.wait(timeout=120) == 130
    assert processes_with(marker) == []
