"""Which paths a node may get: compared as they will be mounted, against a ceiling that nobody moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.conductor.assignments import Places, RunContext
from polyphony_runner.packages import PackageTable
from polyphony_schemas.values import RunId


def places_of(work: Path, *ceiling: str) -> Places:
    context = RunContext(RunId("r_test"), work, work, PackageTable(), {"read": ceiling})
    return Places(work, context.places)


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("work/src/deep", "home/notes"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "work"


@pytest.mark.parametrize("path", [".", "src", "./src/deep", "src/../src", "src/new"])
def test_a_path_lies_in_the_folder_that_it_leads_into(work: Path, path: str) -> None:
    assert places_of(work, ".").lies_in(path, ".")


@pytest.mark.parametrize(
    "path", ["~/notes", "~", "..", "../home", "/", "~nobody-has-this-name/x", "out/notes"]
)
def test_a_path_that_leads_elsewhere_lies_in_no_folder_of_that_name(work: Path, path: str) -> None:
    """``~`` is the person's home, not a folder of that name in the work folder."""
    (work / "~/notes").mkdir(parents=True)
    (work / "out").symlink_to(work.parent / "home")
    assert not places_of(work, ".").lies_in(path, ".")


def test_the_home_of_the_person_can_be_allowed(work: Path) -> None:
    assert places_of(work, "~/notes").lies_in("~/notes/today", "~/notes")


def test_a_ceiling_stays_where_it_was_before_any_node_ran(work: Path) -> None:
    places = places_of(work, "src")
    (work / "src").rename(work / "moved")
    (work / "src").symlink_to(work.parent / "home")
    assert not places.lies_in("src/notes", "src")
    assert not places.lies_in("src", "src")


def test_a_path_is_resolved_once(work: Path) -> None:
    """What was compared is what is granted, wherever the path leads by then."""
    places = places_of(work, ".")
    assert places.lies_in("src/deep", ".")
    (work / "src").rename(work / "moved")
    (work / "src").symlink_to(work.parent / "home")
    assert places.lies_in("src/deep", ".")
    assert places.known["src/deep"] == work / "src/deep"
