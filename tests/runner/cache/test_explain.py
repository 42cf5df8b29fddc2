"""``explain``: which part of a key is another one than before."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.cache.explain import Explanation, explain
from polyphony_runner.runs.errors import RunError
from support.cached_runs import EXTENSION, Ran, Runner, failing, package


def told(runner: Runner, ran: Ran, node: str = "a") -> Explanation:
    return explain(ran.session.folder, ran.state, node, runner.home)


def test_the_first_run_a_changed_input_and_a_hit(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    first = runner.run(melody)
    found = told(runner, first)
    assert (found.outcome, found.reason) == ("miss", "this extension was never asked for a result before")
    changed = runner.run(melody, "n=5")
    found = told(runner, changed)
    assert found.source is not None
    assert (found.outcome, found.source["run"]) == ("miss", first.session.folder.run)
    assert [(one.part, one.now, one.then) for one in found.differences] == [("inputs.n", 5, 1)]
    found = told(runner, runner.run(melody, "n=5"))
    assert found.source is not None
    assert (found.outcome, found.source["run"]) == ("hit", changed.session.folder.run)


def test_a_changed_extension_is_named(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    runner.run(melody)
    (melody / "step" / "node.py").write_text("# another\n")
    assert [one.part for one in told(runner, runner.run(melody)).differences] == ["extension"]


def test_a_failure_that_was_not_kept_is_said(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", "nodes: {a: {uses: ./step}}\n")
    runner.act, well = failing, runner.act
    runner.run(melody)
    runner.act = well
    assert "no result was kept" in told(runner, runner.run(melody)).reason


def test_what_is_not_looked_up_says_why(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    assert "--no-cache" in told(runner, runner.run(melody, cache=False)).reason
    impure = package(tmp_path / "impure", extension=EXTENSION.replace("pure: true\n", ""))
    ran = runner.run(impure)
    assert told(runner, ran).outcome == "not looked up"
    assert "does not say that it is pure" in told(runner, ran).reason
    with pytest.raises(RunError, match="no node 'zz'"):
        told(runner, ran, "zz")
