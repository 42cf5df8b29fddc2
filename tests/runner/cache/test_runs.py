"""What whole runs make of the cache: hits without an execution, misses for whatever differs, never a wrong result."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from polyphony_runner.runtimes.protocol import Assignment, Sink
from polyphony_schemas.values import JsonObject
from support.cached_runs import EXTENSION, Ran, Runner, failing, package

READING = """\
inputs: {path: {schema: {type: string, format: path}}}
config: {permissions: {read: ["${ inputs.path }"]}}
nodes:
  a: {uses: ./step, with: {path: "${ inputs.path }"}, permissions: {read: ["${ inputs.path }"]}}
outputs: {value: "${ a.value }"}
"""
OLD = 1_000_000_000_000_000_000


def test_an_unchanged_run_executes_nothing(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    first = runner.run(melody)
    assert (runner.calls, first.cached) == (["a", "b"], [])
    key = first.of("a", "node.started")[0].data["key"]
    again = runner.run(melody)
    assert (runner.calls, again.cached) == (["a", "b"], ["a", "b"])
    assert again.state.outputs == first.state.outputs == {"value": 3}
    (hit,) = again.of("a", "node.succeeded")
    assert (hit.attempt, hit.data) == (None, {"outputs": {"value": 2}, "cached": True, "key": key})
    assert not again.of("a", "node.started")


def test_another_checkout_shares_results(runner: Runner, tmp_path: Path) -> None:
    for name in ("one", "two"):
        package(tmp_path / name / "melody", READING)
        (tmp_path / name / "src").mkdir()
        (tmp_path / name / "src" / "code.py").write_text("print()\n")
    words = {name: (tmp_path / name / "melody", f"path={tmp_path / name / 'src'}") for name in ("one", "two")}
    assert runner.executed(*words["one"], work=tmp_path / "one") == ["a"]
    assert runner.executed(*words["two"], work=tmp_path / "two") == []


def test_a_touched_file_hits_and_a_changed_one_misses(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", READING)
    file = tmp_path / "src" / "code.py"
    file.parent.mkdir()
    file.write_text("one")
    assert runner.executed(melody, f"path={file.parent}") == ["a"]
    os.utime(file, ns=(OLD, OLD))
    assert runner.executed(melody, f"path={file.parent}") == []
    file.write_text("two")  # the same size, and the same time of change
    os.utime(file, ns=(OLD, OLD))
    assert runner.executed(melody, f"path={file.parent}") == ["a"]
    file.chmod(0o755)
    assert runner.executed(melody, f"path={file.parent}") == ["a"]
    (file.parent / "empty").mkdir()
    assert runner.executed(melody, f"path={file.parent}") == ["a"]


def test_a_result_whose_inputs_changed_meanwhile_is_used_and_not_kept(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", READING)
    file = tmp_path / "src"
    file.write_text("one")

    def changing(assignment: Assignment, sink: Sink) -> JsonObject:
        file.write_text(f"{time.monotonic_ns()}")
        return {"value": 1}

    runner.act = changing
    first = runner.run(melody, f"path={file}")
    assert first.state.outputs == {"value": 1}
    file.write_text("one")
    assert runner.executed(melody, f"path={file}") == ["a"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("kind: operator", "kind: operator\nsummary: another"),
        ('"node:main"', '"node:other"'),
    ],
)
def test_another_extension_misses(runner: Runner, tmp_path: Path, old: str, new: str) -> None:
    melody = package(tmp_path / "melody")
    assert runner.executed(melody) == ["a", "b"]
    (melody / "step" / "extension.yaml").write_text(EXTENSION.replace(old, new))
    assert runner.executed(melody) == ["a", "b"]


def test_a_granted_variable_is_part_of_the_key_and_never_readable_there(
    runner: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = "config: {permissions: {env: [FLAVOUR]}}\nnodes:\n  a: {uses: ./step, permissions: {env: [FLAVOUR]}}\n"
    melody = package(tmp_path / "melody", nodes)
    monkeypatch.setenv("FLAVOUR", "vanilla-4711")
    assert runner.executed(melody) == ["a"]
    assert runner.executed(melody) == []
    monkeypatch.setenv("FLAVOUR", "chocolate")
    assert runner.executed(melody) == ["a"]
    kept = b"".join(path.read_bytes() for path in runner.home.cache.rglob("*.json"))
    assert b"vanilla-4711" not in kept


def test_failures_are_never_kept(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", "nodes: {a: {uses: ./step}}\n")
    runner.act, well = failing, runner.act
    assert runner.run(melody).state.status == "failed"
    runner.act = well
    assert runner.executed(melody) == ["a"]


def test_no_cache_neither_reads_nor_writes(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    assert runner.executed(melody, cache=False) == ["a", "b"]
    assert not (runner.home.cache / "results").exists()
    assert runner.executed(melody) == ["a", "b"]
    assert runner.executed(melody, cache=False) == ["a", "b"]


def test_an_impure_extension_is_executed_every_time(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", extension=EXTENSION.replace("pure: true\n", ""))
    assert runner.executed(melody) == ["a", "b"]
    assert runner.executed(melody) == ["a", "b"]


def test_a_damaged_entry_is_computed_again(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody")
    runner.run(melody)
    entries = sorted((runner.home.cache / "results" / "entries").rglob("*.json"))
    assert len(entries) == 2
    for entry in entries:
        entry.write_bytes(entry.read_bytes().replace(b'"value":', b'"value":4'))
    again = runner.run(melody)
    assert (runner.calls, again.state.outputs) == (["a", "b"] * 2, {"value": 3})
    assert runner.executed(melody) == []


@pytest.mark.parametrize("large", [False, True])
def test_a_missing_or_damaged_artifact_is_made_again(runner: Runner, tmp_path: Path, *, large: bool) -> None:
    melody = package(tmp_path / "melody", "nodes: {a: {uses: ./step}}\noutputs: {value: '${ a.value }'}\n")

    def making(assignment: Assignment, sink: Sink) -> JsonObject:
        if large:
            return {"value": "x" * 40_000}
        kept = session.artifacts.put_bytes(b"made")
        reference: JsonObject = {
            "digest": kept.digest,
            "name": "f",
            "media_type": "text/plain",
            "size": kept.size,
        }
        return {"value": 1, "file": reference}

    runner.act = making
    session = runner.begin(melody)
    asyncio.run(runner.conduct(session))
    assert runner.executed(melody) == []
    (entry,) = (runner.home.cache / "results" / "entries").rglob("*.json")
    kept = (path for path in runner.home.artifacts.rglob("*") if path.is_file())
    (artifact,) = (path for path in kept if path.parent.name + path.name in entry.read_text())
    artifact.unlink()
    assert runner.executed(melody) == ["a"]
    assert runner.executed(melody) == []
    artifact.chmod(0o600)
    artifact.write_bytes(b"other")
    assert runner.executed(melody) == ["a"]


IDENTICAL = "nodes:\n" + "".join(f"  n{i}: {{uses: ./step, with: {{n: 7}}}}\n" for i in range(20))


def test_identical_nodes_of_one_run_are_executed_once(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", IDENTICAL)
    ran = runner.run(melody)
    assert len(runner.calls) == 1
    assert len(ran.cached) == 19


def test_identical_nodes_of_runs_at_the_same_time_are_executed_once(runner: Runner, tmp_path: Path) -> None:
    melody = package(tmp_path / "melody", IDENTICAL)

    async def slow(assignment: Assignment, sink: Sink) -> JsonObject:
        await asyncio.sleep(0.2)
        return {"value": 1}

    runner.act = slow

    async def both() -> list[Ran]:
        return await asyncio.gather(*(runner.conduct(runner.begin(melody)) for _ in range(2)))

    runs = asyncio.run(both())
    assert len(runner.calls) == 1
    assert sorted(len(ran.cached) for ran in runs) == [19, 20]


def test_the_next_one_tries_when_the_first_of_identical_nodes_failed(runner: Runner, tmp_path: Path) -> None:
    melody = package(
        tmp_path / "melody", "nodes: {a: {uses: ./step}, b: {uses: ./step}, c: {uses: ./step}}\n"
    )

    def once(assignment: Assignment, sink: Sink) -> JsonObject:
        if len(runner.calls) == 1:
            raise ValueError("the first has no luck")
        return {"value": 1}

    runner.act = once
    ran = runner.run(melody)
    assert len(runner.calls) == 2
    assert sorted(node.status for node in ran.state.nodes.values()) == ["failed", "succeeded", "succeeded"]


def test_a_pure_node_keeps_its_place_in_the_graph(runner: Runner, tmp_path: Path) -> None:
    nodes = """\
nodes:
  each:
    for_each: {items: "${ [1, 2, 2, 3] }", as: n, parallel: 4}
    nodes: {work: {uses: ./step, with: {n: "${ n }"}}}
    outputs: {value: "${ work.value }"}
outputs: {value: "${ each.value }"}
"""
    melody = package(tmp_path / "melody", nodes)
    assert runner.run(melody).state.outputs == {"value": [2, 3, 3, 4]}
    assert len(runner.calls) == 3
    assert runner.run(melody).state.outputs == {"value": [2, 3, 3, 4]}
    assert len(runner.calls) == 3


def test_pure_nodes_wait_for_a_budget_like_all_others(runner: Runner, tmp_path: Path) -> None:
    nodes = "config: {budget: {tokens: 100}}\nnodes:\n" + "".join(
        f"  n{i}: {{uses: ./step, with: {{n: {i}}}, limits: {{tokens: 40}}}}\n" for i in range(4)
    )
    spending = EXTENSION.replace("permissions: {", "permissions: {models: granted, ")
    melody = package(tmp_path / "melody", nodes, spending)
    ran = runner.run(melody)
    assert [event.data["for"] for event in ran.events if event.type == "node.waiting"][:1] == ["budget"]
    succeeded = {event.node for event in ran.events if event.type == "node.succeeded"}
    assert len(succeeded) == len(runner.calls) >= 2
    again = runner.run(melody)
    assert set(again.cached) >= succeeded


def test_what_has_no_key_is_executed_and_says_why(runner: Runner, tmp_path: Path) -> None:
    nodes = """\
config: {permissions: {read: ["loop"]}}
nodes: {a: {uses: ./step, permissions: {read: ["loop"]}}}
"""
    melody = package(tmp_path / "melody", nodes)
    (melody / "loop").mkdir()
    os.mkfifo(melody / "loop" / "pipe")
    for _ in range(2):
        ran = runner.run(melody)
        assert ran.state.status == "succeeded"
        assert "neither file, folder nor link" in str(ran.of("a", "node.started")[0].data["no_key"])
    assert runner.calls == ["a", "a"]
