"""Leading a run from stop to stop: breakpoints, steps, values that are set; all of it on the journal."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.debugging import Debugger
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.verify import verify_run
from polyphony_runner.runtimes.protocol import Failure
from polyphony_schemas.errors import PolyphonyError
from support.cached_runs import EXTENSION, Runner, package

PLAIN = EXTENSION.replace("pure: true\n", "")
CHAIN = """\
inputs: {n: {schema: {type: integer}, default: 1}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ a.value }"}}
  c: {uses: ./step, with: {n: "${ b.value }"}}
outputs: {value: "${ c.value }"}
"""
LOOP = """\
nodes:
  fix:
    while: "state.n < 3"
    max: 9
    state: {n: 0}
    nodes: {one: {uses: ./step, with: {n: "${ state.n }"}}}
    next: {n: "${ one.value }"}
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(Home.at(tmp_path / "home"))


def debugger(runner: Runner, tmp_path: Path, nodes: str = CHAIN) -> Debugger:
    session = runner.begin(package(tmp_path / "melody", nodes, PLAIN))

    def leave() -> None:
        raise AssertionError

    runtime = FunctionRuntime({"*": runner._counted})  # the same functions, led by hand
    return Debugger(session, runner.home, lambda *_: runtime, lambda _event, _state: None, leave)


def test_it_stops_before_a_node_and_goes_on(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path)
    led.stop_at("b")
    stop = led.go(step=False)
    assert (stop.status, stop.node, runner.calls) == ("halted", "b", ["a"])
    assert led.go(step=False).status == "succeeded"
    assert (runner.calls, led.state.outputs) == (["a", "b", "c"], {"value": 4})
    events = list(read_journal(led.session.folder.journal))
    halts = [event.data for event in events if event.type == "run.halted"]
    assert halts == [{"reason": "breakpoint", "node": "b"}]
    assert next(event.data for event in events if event.type == "run.started") == {
        "breakpoints": ["b"],
        "step": False,
    }
    led.session.journal.close()
    assert verify_run(led.session.folder, runner.home).ok


def test_a_step_runs_one_node(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path)
    stops = [led.go(step=True).node for _ in range(4)]
    assert stops == ["a", "b", "c", None]
    assert led.state.status == "succeeded"
    with pytest.raises(PolyphonyError, match="over"):
        led.go(step=True)
    led.session.journal.close()


def test_a_breakpoint_in_a_loop_means_every_round_or_one(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path, LOOP)
    led.stop_at("fix/one")
    assert [led.go(step=False).node for _ in range(2)] == ["fix[0]/one", "fix[1]/one"]
    led.breakpoints = {"fix[2]/one"}
    assert [led.go(step=False).node for _ in range(2)] == ["fix[2]/one", None]
    led.session.journal.close()


def test_an_output_can_be_set_before_the_node_runs(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path)
    led.stop_at("b")
    led.go(step=False)
    led.set_value("b.value=10")
    assert led.go(step=False).status == "succeeded"
    assert (runner.calls, led.state.outputs) == (["a", "c"], {"value": 11})
    edited = [event for event in read_journal(led.session.folder.journal) if "edited" in event.data]
    assert [(one.node, one.data["outputs"]) for one in edited] == [("b", {"value": 10})]
    led.session.journal.close()


def test_a_value_that_was_seen_makes_a_new_run(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path)
    old = led.session.folder
    led.stop_at("c")
    led.go(step=False)
    led.set_value("a.value=10")
    assert led.session.folder.run != old.run
    led.breakpoints.clear()
    assert led.go(step=False).status == "succeeded"
    assert (runner.calls, led.state.outputs) == (["a", "b", "b", "c"], {"value": 12})
    led.set_value("inputs.n=5")
    assert led.go(step=False).status == "succeeded"
    assert led.state.outputs == {"value": 8}
    led.session.journal.close()


def test_a_halted_node_can_be_given_its_output(runner: Runner, tmp_path: Path) -> None:
    halting = CHAIN.replace('n: "${ a.value }"}}', 'n: "${ a.value }"}, on_error: {halt: {}}}')
    well = runner.act
    runner.act = lambda assignment, sink: (
        Failure("exit", "no luck") if assignment.node == "b" else well(assignment, sink)
    )
    led = debugger(runner, tmp_path, halting)
    assert led.go(step=False).status == "halted"
    led.set_value("b.value=3")
    assert led.go(step=False).status == "succeeded"
    led.session.journal.close()


def test_a_plain_resume_stops_nowhere(runner: Runner, tmp_path: Path) -> None:
    import asyncio

    led = debugger(runner, tmp_path)
    led.stop_at("b")
    led.stop_at("c")
    led.go(step=False)
    led.session.journal.close()
    ran = asyncio.run(runner.conduct(resume(led.session.folder, runner.home)))
    assert ran.state.status == "succeeded"


def test_show_tells_what_a_node_was_given(runner: Runner, tmp_path: Path) -> None:
    led = debugger(runner, tmp_path)
    led.stop_at("c")
    led.go(step=False)
    shown = led.show("b")
    assert isinstance(shown, dict)
    task = {"generated": True, "objective": "run step", "inputs": {"n": "a.value"}}
    assert (shown["given"], shown["outputs"]) == ({"inputs": {"n": 2}, "task": task}, {"value": 3})
    for wrong in (lambda: led.show("zz"), lambda: led.stop_at("zz"), lambda: led.set_value("zz.value=1")):
        with pytest.raises(PolyphonyError) as refused:
            wrong()
        assert refused.value.code in ("PLY2755", "PLY2751")
    led.session.journal.close()
