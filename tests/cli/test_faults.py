"""A disk that is full: before a run nothing is left of it, in the middle it stops, and goes on when there is room."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MELODY = """\
melody: v1
name: long
version: 1.0.0
inputs: {rounds: {schema: {type: integer}, default: 300}}
nodes:
  climb:
    while: "state.n < inputs.rounds"
    max: 1000
    state: {n: 0}
    nodes: {step: {uses: core/set, with: {n: "${ state.n + 1 }", filling: "some words that need room on a disk"}}}
    next: {n: "${ step.n }"}
    outputs: {n: "${ step.n }"}
outputs: {n: "${ climb.n }"}
"""
# A disk of its own for the home, in a mount namespace that ends with the shell.
ON_SMALL_DISK = """\
set -e
mount -t tmpfs -o size=200k tmpfs "$ROOM"
{before}
set +e
"$PYTHON" -m polyphony_cli.main --json --home "$ROOM/home" run "$MELODY" >"$OUT/first"; echo $? >"$OUT/status"
ls -A "$ROOM/home/runs" >"$OUT/left"
{after}
"""
GO_ON = """\
mount -o remount,size=50m "$ROOM"
"$PYTHON" -m polyphony_cli.main --json --home "$ROOM/home" resume "$(cat "$OUT/left")" >"$OUT/second"
"$PYTHON" -m polyphony_cli.main --json --home "$ROOM/home" journal --verify "$(cat "$OUT/left")" >"$OUT/verified"
"""


class Place:
    """A melody, and folders for a home and for what is said."""

    def __init__(self, folder: Path) -> None:
        self.melody, self.room, self.out = folder / "melody.yaml", folder / "room", folder / "out"
        self.melody.write_text(MELODY)
        self.room.mkdir()
        self.out.mkdir()

    def on_small_disk(self, *, before: str = "", after: str = "") -> None:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", ON_SMALL_DISK.format(before=before, after=after)],
            env={
                **os.environ,
                "ROOM": str(self.room),
                "OUT": str(self.out),
                "MELODY": str(self.melody),
                "PYTHON": sys.executable,
            },
            capture_output=True,
            text=True,
            check=False,
        )
        if not (self.out / "status").exists():
            pytest.skip(f"no disk can be mounted here: {done.stderr[-200:]}")

    def said(self, name: str) -> Any:
        return json.loads((self.out / name).read_text())

    def limited(self, *words: str, bytes_a_file: int | None = None) -> tuple[int, Any]:
        """A call whose files may not grow beyond a number of bytes."""
        limit = [] if bytes_a_file is None else ["prlimit", f"--fsize={bytes_a_file}"]
        done = subprocess.run(
            [
                *limit,
                sys.executable,
                "-m",
                "polyphony_cli.main",
                "--json",
                "--home",
                str(self.room / "home"),
                *words,
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, json.loads(done.stdout)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_disk_that_fills_in_the_middle_stops_the_run_which_goes_on_with_room(place: Place) -> None:
    place.on_small_disk(after=GO_ON)
    error = place.said("first")["error"]
    run = (place.out / "left").read_text().strip()
    assert (place.out / "status").read_text() == "1\n"
    assert error["code"] in ("PLY2106", "PLY2851")
    assert "no space left on device" in error["message"].lower()
    assert error["hint"] == f"make room, then polyphony resume {run}"
    assert place.said("second")["outputs"] == {"n": 300}
    assert place.said("verified")["ok"] is True


def test_a_disk_that_is_full_before_the_run_keeps_nothing_of_it(place: Place) -> None:
    before = 'mkdir -p -m 700 "$ROOM/home/runs"; head -c 300k /dev/zero >"$ROOM/filler" 2>/dev/null || true'
    place.on_small_disk(before=before)
    assert place.said("first")["error"]["code"] == "PLY7004"
    assert (place.out / "left").read_text() == ""


@pytest.mark.parametrize("bytes_a_file", [100, 1_000, 2_000, 3_000])
def test_a_run_that_cannot_begin_leaves_nothing_that_cannot_be_read(place: Place, bytes_a_file: int) -> None:
    """Wherever the first files stop, ``runs`` lists what can be read, or nothing."""
    status, said = place.limited("run", str(place.melody), bytes_a_file=bytes_a_file)
    assert (status, "error" in said) == (1, True)
    status, listed = place.limited("runs")
    assert status == 0
    assert all(one["status"] == "halted" for one in listed["runs"])


def test_a_file_that_may_not_grow_stops_the_run_which_goes_on_when_it_may(place: Place) -> None:
    status, said = place.limited("run", str(place.melody), bytes_a_file=60_000)
    assert status == 1
    assert said["error"]["code"] in ("PLY2106", "PLY2851")
    (one,) = place.limited("runs")[1]["runs"]
    assert one["status"] == "halted"
    status, done = place.limited("resume", one["run"])
    assert (status, done["outputs"]) == (0, {"n": 300})
    assert place.limited("journal", one["run"], "--verify")[1]["ok"] is True
