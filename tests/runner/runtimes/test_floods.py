"""Nodes that say far too much: what is kept, what is said about the rest, and that the run goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.runtimes.log_lines import MAX_BYTES
from polyphony_runner.runtimes.protocol import Failure, Success
from support.runtimes_nodes import Bench

MILLION = """\
import sys


def main(inputs, parameters, task, context):
    line = "the same words again\\n" * 1000
    for _ in range(1000):
        sys.stderr.write(line)
    return {"done": True}
"""
TEN_MEGABYTES = "def main(inputs, parameters, task, context):\n    return {'done': 'x' * 10_000_000}\n"
BY_COMMAND = {"command": ["python3", "-c", "print('x' * 10_000_000)"]}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_of_a_million_log_lines_a_bounded_part_is_kept_and_the_rest_is_named(bench: Bench) -> None:
    node = bench.python(MILLION, outputs={"done": {"schema": {}}})
    assert bench.succeed(node) == {"done": True}
    messages = [str(message) for message in bench.messages()]
    assert sum(len(message) + 1 for message in messages) <= MAX_BYTES + 100
    assert messages[0] == "the same words again"
    assert messages[-1] == f"… {21_000_000 - MAX_BYTES} more bytes on standard error"


def test_ten_megabytes_in_a_result_are_refused_by_kind_and_bound(bench: Bench) -> None:
    failure = bench.fail(bench.python(TEN_MEGABYTES, outputs={"done": {"schema": {}}}))
    assert (failure.kind, "bytes" in failure.message) == ("output", True)


def test_ten_megabytes_of_a_command_are_an_artifact(bench: Bench) -> None:
    outcome = bench.go(bench.extension("loud", run=BY_COMMAND))
    assert isinstance(outcome, Success), outcome
    stdout = outcome.outputs["stdout"]
    assert isinstance(stdout, dict)
    assert stdout["size"] == 10_000_001
    assert bench.artifacts.read(str(stdout["digest"]))[:3] == b"xxx"


def test_output_that_is_no_json_is_a_protocol_error_that_shows_it(bench: Bench) -> None:
    node = bench.extension("talks", run={"process": ["echo", "Everything went well!"]})
    failure = bench.go(node)
    assert isinstance(failure, Failure)
    assert failure.kind == "protocol"
    assert "Everything went well!" in failure.message
