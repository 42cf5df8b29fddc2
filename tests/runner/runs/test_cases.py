"""Cases that travel with a package: pins, a copied work folder, expectations; and previews, where nothing is executed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import RunRequest
from polyphony_runner.runs.cases import CaseResult, CaseRunner
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.preview import preview
from polyphony_runner.runtimes.protocol import Assignment, Failure, Sink
from polyphony_schemas.values import JsonObject
from support.cached_runs import EXTENSION, Runner, package

PLAIN = EXTENSION.replace("pure: true\n", "").replace(
    "value: {schema: {}}", "value: {schema: {type: integer}}"
)
NODES = """\
inputs: {n: {schema: {type: integer}}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ a.value }"}, when: "a.value < 100"}
  c: {uses: ./step, with: {n: "${ b.value }"}}
outputs: {value: "${ c.value }"}
"""
ASKING = """\
nodes:
  ask: {uses: core/approve, with: {question: Shall we?}}
  pause: {uses: core/wait, with: {delay: 3h}}
  go: {uses: ./step, when: ask.approved, with: {n: 1}}
connections: [pause -> go]
"""
LOOP = """\
nodes:
  each:
    for_each: {items: "${ [1, 2] }", as: n}
    nodes: {work: {uses: ./step, with: {n: "${ n }"}}}
    outputs: {value: "${ work.value }"}
outputs: {value: "${ each.value }"}
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(Home.at(tmp_path / "home"))


def case(folder: Path, name: str, **parts: Any) -> None:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / f"{name}.yaml").write_text(json.dumps({"name": name, **parts}))


def results(runner: Runner, folder: Path) -> dict[str, CaseResult]:
    runtime = FunctionRuntime({"*": runner._counted})  # the same functions, in the cases' runs
    request = RunRequest(folder, ask=lambda lines, digest: True)
    found = CaseRunner(request, folder, runner.home, lambda *_: runtime).run_all()
    return {one.name: one for one in found}


def wrong(result: CaseResult) -> dict[str, tuple[Any, Any]]:
    return {one.what: (one.expected, one.got) for one in result.mismatches}


def test_a_case_that_is_as_expected(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    expect = {"outputs": {"value": 4}, "nodes": {"a": "succeeded"}, "never": ["zz"]}
    case(folder, "plain", inputs={"n": 1}, expect=expect)
    assert results(runner, folder)["plain"].ok
    assert runner.calls == ["a", "b", "c"]
    assert not list(runner.home.runs.glob("r_*"))


def test_every_difference_is_told(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    expect = {
        "status": "failed",
        "outputs": {"value": 5},
        "nodes": {"a": "dead", "zz": "failed"},
        "never": ["b"],
    }
    case(folder, "off", inputs={"n": 1}, expect=expect)
    assert wrong(results(runner, folder)["off"]) == {
        "status": ("failed", "succeeded"),
        "outputs.value": (5, 4),
        "nodes.a": ("dead", "succeeded"),
        "nodes.zz": ("failed", None),
        "never.b": ("not started", "started"),
    }


def test_pinned_nodes_are_not_executed(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    pins = {"a": {"outputs": {"value": 100}}}
    expect = {"nodes": {"a": "succeeded", "b": "skipped", "c": "dead"}, "never": ["a", "b", "c"]}
    case(folder, "pinned", inputs={"n": 1}, pins=pins, expect=expect)
    assert wrong(results(runner, folder)["pinned"]) == {}
    assert runner.calls == []


def test_a_pin_counts_in_every_round_or_in_one(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", LOOP, PLAIN)
    case(folder, "all", pins={"each/work": {"outputs": {"value": 7}}}, expect={"outputs": {"value": [7, 7]}})
    case(
        folder, "one", pins={"each[1]/work": {"outputs": {"value": 7}}}, expect={"outputs": {"value": [2, 7]}}
    )
    assert all(one.ok for one in results(runner, folder).values())
    assert runner.calls == ["each[0]/work"]


def test_people_and_time_are_pinned_or_skipped(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", ASKING, PLAIN)
    approved = {"ask": {"outputs": {"approved": True, "by": "ada", "comment": ""}}}
    case(folder, "approved", pins=approved, expect={"nodes": {"go": "succeeded", "pause": "succeeded"}})
    case(folder, "asked", expect={"status": "waiting", "never": ["go"]})
    found = results(runner, folder)
    assert [wrong(one) for one in found.values()] == [{}, {}]
    assert max(one.seconds for one in found.values()) < 60


def test_a_failing_node_can_be_expected(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    runner.act = lambda assignment, sink: Failure("exit", "no luck")
    case(folder, "red", inputs={"n": 1}, expect={"status": "failed", "nodes": {"a": "failed", "c": "dead"}})
    assert wrong(results(runner, folder)["red"]) == {}


def test_the_work_folder_is_a_copy(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", "nodes: {a: {uses: ./step}}\n", PLAIN)
    (folder / "tests" / "data").mkdir(parents=True)
    (folder / "tests" / "data" / "file").write_text("kept")
    seen = []

    def writing(assignment: Assignment, sink: Sink) -> JsonObject:
        file = assignment.work / "file"
        seen.append(file.read_text())
        file.write_text("changed")
        return {"value": 1}

    runner.act = writing
    case(folder, "work", work="tests/data", expect={})
    case(folder, "outside", work="..", expect={})
    found = results(runner, folder)
    assert (found["work"].ok, seen) == (True, ["kept"])
    assert (folder / "tests" / "data" / "file").read_text() == "kept"
    assert found["outside"].error is not None
    assert found["outside"].error["kind"] == "PLY2756"


def test_a_case_that_cannot_begin_or_be_read_is_told(runner: Runner, tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    case(folder, "lacking", expect={})
    found = results(runner, folder)["lacking"]
    assert not found.ok
    assert found.error is not None
    assert found.error["kind"] == "PLY2403"
    (folder / "tests" / "broken.yaml").write_text("name: x\nexpects: {}\n")
    with pytest.raises(RunError, match=r"broken\.yaml:1"):
        results(runner, folder)


def seen(folder: Path, *inputs: str, pins: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return json.loads(json.dumps(preview(RunRequest(folder, inputs=inputs), pins or {}, None).to_json()))  # type: ignore[no-any-return]  # plain JSON


def test_a_preview_shows_what_would_run(tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", NODES, PLAIN)
    found = seen(folder)
    assert (found["status"], found["inputs"], found["outputs"]) == ("succeeded", {"n": 0}, {"value": 0})
    assert {row["node"]: row["ended"] for row in found["nodes"]} == {key: {"succeeded": 1} for key in "abc"}
    pinned = seen(folder, "n=5", pins={"a": {"outputs": {"value": 500}}})
    assert pinned["inputs"] == {"n": 5}
    assert {row["node"]: row["ended"] for row in pinned["nodes"]} == {
        "a": {"succeeded": 1},
        "b": {"skipped": 1},
        "c": {"dead": 1},
    }


def test_a_preview_asks_nobody_and_waits_for_nothing(tmp_path: Path) -> None:
    found = seen(package(tmp_path / "melody", ASKING, PLAIN))
    assert found["status"] == "succeeded"
    assert {row["node"]: row["values"] for row in found["nodes"]} == {
        "ask": "pinned",
        "pause": "pinned",
        "go": "mock",
    }


def test_a_preview_tells_permissions_and_the_bound_of_the_cost(tmp_path: Path) -> None:
    spending = PLAIN.replace("permissions: {", "permissions: {models: granted, ")
    nodes = """\
config: {permissions: {read: ["src"]}, limits: {tokens: 1000}}
nodes:
  each:
    for_each: {items: "${ [1, 2] }", as: n, max: 10}
    nodes: {work: {uses: ./step, with: {n: "${ n }"}, limits: {usd: "0.10"}, on_error: {retry: {max: 1}}}}
"""
    found = seen(package(tmp_path / "melody", nodes, spending))
    assert found["permissions"] == {"read": ["src"]}
    assert len(found["digest"]) == 64
    assert found["cost"] == {"usd": "2.00", "tokens": 20_000, "wall_ms": None, "unknown": []}
    free = package(tmp_path / "free", nodes.replace(', limits: {usd: "0.10"}', ""), spending)
    assert seen(free)["cost"] == {"usd": None, "tokens": None, "wall_ms": None, "unknown": ["each/work"]}


def test_a_preview_looks_into_melodies_that_are_used_as_nodes(tmp_path: Path) -> None:
    folder = package(tmp_path / "melody", "nodes: {inner: {uses: ./inner}}\n", PLAIN)
    (folder / "inner").mkdir()
    inner = "melody: v1\nname: inner\nversion: 1.0.0\nnodes:\n  ask: {uses: core/approve, with: {question: Well?}}\n"
    (folder / "inner" / "melody.yaml").write_text(inner)
    found = seen(folder)
    assert (found["status"], found["cost"]["unknown"]) == ("succeeded", [])
    assert {row["node"] for row in found["nodes"]} == {"inner", "inner/ask"}
