"""The answer to a task has the form that the task asks for, and a task is there where nobody wrote one."""

from __future__ import annotations

import difflib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.graph.compile import compile_melody
from polyphony_schemas.graph.model import CompiledMelody, Port
from polyphony_schemas.graph.port_values import check_outputs
from polyphony_schemas.graph.unified_diff import DiffError, read_diff, try_diff
from polyphony_schemas.melody import Melody
from polyphony_schemas.program import PackageInterface

PATCH = "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n"
FILE = {"digest": "0" * 64, "name": "x", "media_type": "text/plain", "size": 1}
ANSWER = {"result": Port({}, required=False, from_task=True), "model": Port({}, required=False)}


def checked(value: Any, **outputs: Any) -> str | None:
    return check_outputs(ANSWER, {"result": value, "model": 7}, {"outputs": outputs})[1]


@pytest.mark.parametrize(
    ("outputs", "value"),
    [
        ({"format": "json"}, {"a": 1}),
        ({"format": "json"}, "[1]"),
        ({"format": "json", "schema": {"type": "string"}}, "just words"),
        ({"format": "text"}, "words"),
        ({"format": "code"}, "a = 1\n"),
        ({"format": "code", "language": "python"}, "```python\na = 1\n```\n"),
        ({"format": "code", "language": "python"}, "```py\na = 1\n```"),
        ({"format": "code", "language": "python"}, "~~~\na = 1\n~~~"),
        ({"format": "code", "language": "json"}, "```json\n{}\n```"),
        ({"format": "code", "language": "yaml"}, "a: 1\n"),
        ({"format": "diff"}, PATCH),
        ({"format": "file"}, FILE),
    ],
)
def test_takes_an_answer_of_the_form_that_is_asked_for(outputs: dict[str, Any], value: Any) -> None:
    assert checked(value, **outputs) is None


@pytest.mark.parametrize(
    ("outputs", "value", "why"),
    [
        ({"format": "json"}, "just words", "Expecting value"),
        ({"format": "json", "schema": {"type": "object"}}, "just words", "string, expected object"),
        ({"format": "text"}, {"a": 1}, "expected text"),
        ({"format": "text"}, " \n", "nothing but blanks"),
        ({"format": "code"}, "", "no text"),
        ({"format": "code"}, "Here you are:\n```\na = 1\n```", "text around the code block"),
        ({"format": "code"}, "```\na\n```\n```\nb\n```", "several blocks"),
        ({"format": "code", "language": "python"}, "```ruby\na = 1\n```", "'ruby', expected 'python'"),
        ({"format": "code", "language": "json"}, "```json\n{\n```", "Expecting property name"),
        ({"format": "code", "language": "yaml"}, "a: [", "the output 'result' is no code"),
        ({"format": "diff"}, "I would change line 3", "no file is named"),
        ({"format": "diff"}, "--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n", "leads out of the tree"),
        ({"format": "diff"}, "--- a/x\n+++ b/x\n@@ -1,9 +1 @@\n-a\n+b\n", "more lines than it has"),
        ({"format": "file"}, "x.txt", "expected a file"),
    ],
)
def test_refuses_any_other_answer(outputs: dict[str, Any], value: Any, why: str) -> None:
    found = checked(value, **outputs)
    assert found is not None
    assert why in found


def test_an_answer_comes_from_the_marked_port_or_the_only_one() -> None:
    task = {"outputs": {"format": "text"}}
    assert check_outputs({"a": Port({})}, {"a": 1}, task)[1] is not None
    assert check_outputs({"a": Port({}), "b": Port({})}, {"a": 1, "b": 2}, task)[1] is None
    assert check_outputs(ANSWER, {"model": 7}, task)[1] is None


LINES = st.lists(st.sampled_from(["", "a", "b", "-c", "+d", " e", "\\f", "@@ -1 +1 @@"]), max_size=30)


@given(LINES, LINES)
def test_a_diff_of_two_texts_fits_the_first(before: list[str], after: list[str]) -> None:
    lines = [*difflib.unified_diff(before, after, "a/x", "b/x", lineterm="")]
    if lines:
        text = "".join(f"{line}\n" for line in before)
        assert try_diff(read_diff("\n".join(lines) + "\n"), {"x": text}.get) is None


@given(st.text(alphabet="-+ @\\/abx\n0123", max_size=200))
def test_any_text_is_a_diff_or_is_refused(text: str) -> None:
    try:
        files = read_diff(text)
    except DiffError:
        return
    assert files
    try_diff(files, lambda path: "a\nb\n")


def test_a_diff_says_what_it_expects_where() -> None:
    made = read_diff("--- /dev/null\n+++ b/new\n@@ -0,0 +1 @@\n+a\n")
    assert try_diff(made, lambda path: None) is None
    assert "is there already" in str(try_diff(made, {"new": ""}.get))
    gone = read_diff("--- a/old\n+++ /dev/null\n@@ -1 +0,0 @@\n-a\n")
    assert "is not there" in str(try_diff(gone, lambda path: None))
    moved = read_diff("diff --git a/x b/y\nsimilarity index 100%\nrename from x\nrename to y\n")
    assert [(one.source, one.target) for one in moved] == [("x", "y")]
    assert try_diff(read_diff(PATCH), {"x": "zero\nzero\none\n"}.get) is None  # a few lines lower
    no_end = read_diff("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n\\ No newline at end of file\n+two\n")
    assert try_diff(no_end, {"x": "one"}.get) is None


REVIEW = PackageInterface(
    kind="extension",
    name="review",
    version="1.0.0",
    summary="Read a change and say what is wrong with it",
    inputs={"findings": Port({}), "level": Port({}, required=False)},
    outputs={"result": Port({"type": "string"}, from_task=True)},
    parameters={"type": "object", "properties": {"model": {"type": "string"}}},
    run="python",
)


def compiled(**review: Any) -> CompiledMelody:
    document = {
        "melody": "v1",
        "name": "m",
        "version": "1.0.0",
        "inputs": {"level": {"schema": {}}},
        "nodes": {
            "lint": {"uses": "core/set", "with": {"findings": []}},
            "review": {
                "uses": "./review",
                "with": {"level": "${ inputs.level + 1 }", "model": "m"},
                **review,
            },
        },
        "connections": ["lint.findings -> review.findings"],
    }
    return compile_melody(Melody.model_validate(document), {"./review": REVIEW})


def test_a_task_that_nobody_wrote_says_what_to_do_from_what_in_which_form() -> None:
    task = compiled().graph.nodes["review"].task
    assert {name: template.value for name, template in task.items()} == {
        "generated": True,
        "objective": "Read a change and say what is wrong with it",
        "inputs": {"findings": "lint.findings", "level": "inputs.level + 1"},
        "outputs": {"format": "text"},
    }


def test_a_task_that_somebody_wrote_stays_as_it_is() -> None:
    task = compiled(task={"objective": "review"}).graph.nodes["review"].task
    assert {name: template.value for name, template in task.items()} == {"objective": "review"}
    assert compiled().graph.nodes["lint"].task == {}


def test_nothing_is_asked_of_an_answer_that_a_generated_task_describes() -> None:
    task: dict[str, Any] = {"generated": True, "outputs": {"format": "text"}}
    assert check_outputs(ANSWER, {"result": 1}, task)[1] is None
