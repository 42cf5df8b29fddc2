"""A diff that a node answers with has to fit the files that the node was granted."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.runtimes.protocol import Failure, Success
from support.runtimes_nodes import Bench

SOURCE = "def main(inputs, parameters, task, context):\n    return {'patch': inputs['patch']}\n"
MANIFEST = {"inputs": {"patch": {"schema": {}}}, "outputs": {"patch": {"schema": {}, "from_task": True}}}
TASK = {"outputs": {"format": "diff"}}


def patch(before: str) -> str:
    return f"--- a/src/a.py\n+++ b/src/a.py\n@@ -1,2 +1,2 @@\n {before}\n-b = 2\n+b = 3\n"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    made = Bench(tmp_path)
    (made.work / "src").mkdir()
    (made.work / "src/a.py").write_text("a = 1\nb = 2\n")
    return made


def test_a_diff_that_fits_the_granted_tree_is_taken(bench: Bench) -> None:
    node = bench.python(SOURCE, **MANIFEST)
    outcome = bench.go(node, inputs={"patch": patch("a = 1")}, task=TASK, grants={"read": (".",)})
    assert isinstance(outcome, Success), outcome


def test_a_diff_that_does_not_fit_fails_the_node_and_may_be_retried(bench: Bench) -> None:
    node = bench.python(SOURCE, **MANIFEST)
    failure = bench.fail(node, inputs={"patch": patch("a = 9")}, task=TASK, grants={"read": (".",)})
    assert (failure.kind, failure.retryable) == ("validation", True)
    assert "line 1 of 'src/a.py' is 'a = 1', the diff expects 'a = 9'" in failure.message


def test_a_diff_reads_nothing_through_a_link_and_nothing_that_was_not_granted(bench: Bench) -> None:
    (bench.root / "secret").write_text("a = 1\nb = 2\n")
    (bench.work / "src/a.py").unlink()
    (bench.work / "src/a.py").symlink_to(bench.root / "secret")
    node = bench.python(SOURCE, **MANIFEST)
    failure = bench.fail(node, inputs={"patch": patch("a = 1")}, task=TASK, grants={"read": (".",)})
    assert "is not there" in failure.message


def test_without_a_granted_tree_only_the_form_counts(bench: Bench) -> None:
    node = bench.python(SOURCE, **MANIFEST)
    assert not isinstance(bench.go(node, inputs={"patch": patch("a = 9")}, task=TASK), Failure)
