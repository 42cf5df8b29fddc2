"""A new run from a point of an earlier one: what is done again, what is not, and what the journals say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from polyphony_runner.home import Home
from polyphony_runner.runs.edits import read_edits
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import made_at
from polyphony_runner.runs.listing import list_runs
from polyphony_runner.runs.rerun import RerunRequest, rerun
from polyphony_runner.runs.verify import verify_run
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.journal import format_time
from polyphony_schemas.values import JsonObject
from support.cached_runs import EXTENSION, Ran, Runner, package

PLAIN = EXTENSION.replace("pure: true\n", "")
CHAIN = """\
inputs: {n: {schema: {type: integer}, default: 1}, other: {schema: {type: integer}, default: 10}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ a.value }"}}
  c: {uses: ./step, with: {n: "${ b.value }"}}
  side: {uses: ./step, with: {n: "${ inputs.other }"}}
outputs: {value: "${ c.value }", side: "${ side.value }"}
"""
LOOP = """\
nodes:
  before: {uses: ./step, with: {n: 0}}
  fix:
    while: "state.n < 4"
    max: 9
    state: {n: "${ before.value }"}
    nodes:
      one: {uses: ./step, with: {n: "${ state.n }"}}
      two: {uses: ./step, with: {n: "${ one.value }"}}
    next: {n: "${ one.value }"}
    outputs: {n: "${ two.value }"}
  after: {uses: ./step, with: {n: "${ fix.n }"}}
outputs: {value: "${ after.value }"}
"""
EACH = """\
nodes:
  each:
    for_each: {items: "${ [1, 2, 3] }", as: n, parallel: 3}
    nodes: {work: {uses: ./step, with: {n: "${ n }"}}}
    outputs: {value: "${ work.value }"}
  after: {uses: ./step, with: {n: "${ size(each.value) }"}}
outputs: {value: "${ each.value }"}
"""


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(Home.at(tmp_path / "home"))


def again(
    runner: Runner, ran: Ran, *edits: str, start: str | None = None, at: int | None = None
) -> tuple[Ran, list[str]]:
    """The new run, and which nodes it executed."""
    runner.calls.clear()
    session = rerun(ran.session.folder, RerunRequest(start, at, read_edits(edits)), runner.home)
    made = asyncio.run(runner.conduct(session))
    checked = verify_run(made.session.folder, runner.home)
    assert checked.ok, checked
    return made, sorted(runner.calls)


def melody(tmp_path: Path, nodes: str) -> Path:
    return package(tmp_path / "melody", nodes, PLAIN)


def test_from_a_node_does_it_and_what_depends_on_it_again(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    old = first.session.folder.journal.read_bytes()
    made, executed = again(runner, first, start="b")
    assert executed == ["b", "c"]
    assert made.state.outputs == first.state.outputs
    created = made.events[0]
    dropped = next(event.seq for event in first.events if event.node == "b")
    assert created.data["parent"] == {"run": first.session.folder.run, "seq": dropped}
    assert created.data["run"] == made.session.folder.run != first.session.folder.run
    assert first.session.folder.journal.read_bytes() == old


def test_without_a_point_everything_is_done_again(runner: Runner, tmp_path: Path) -> None:
    made, executed = again(runner, runner.run(melody(tmp_path, CHAIN)))
    assert executed == ["a", "b", "c", "side"]
    assert made.state.status == "succeeded"


def test_the_list_of_runs_counts_what_a_new_run_did_from_its_own_start(
    runner: Runner, tmp_path: Path
) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    second, _ = again(runner, first, start="c")
    new, old = list_runs(runner.home)
    assert (new.run, old.run) == (second.session.folder.run, first.session.folder.run)
    assert new.started == format_time(made_at(second.session.folder.run)) > old.started
    assert new.seconds is not None
    assert new.seconds >= 0


def test_at_keeps_the_events_before(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    for at in range(1, len(first.events)):
        done = {event.node for event in first.events[:at] if event.type == "node.succeeded"}
        made, executed = again(runner, first, at=at)
        assert set(executed) == {"a", "b", "c", "side"} - done
        assert made.state.outputs == first.state.outputs
        assert [(one.type, one.node) for one in made.events[:at]] == [
            (one.type, one.node) for one in first.events[:at]
        ]


def test_a_value_set_anew_changes_what_depends_on_it_alone(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    made, executed = again(runner, first, "b.value=100")
    assert executed == ["c"]
    assert made.state.outputs == {"value": 101, "side": 11}
    (edited,) = made.of("b", "node.succeeded")
    assert (edited.data["outputs"], edited.data["edited"]) == ({"value": 100}, ["value"])


def test_an_input_set_anew_changes_what_names_it(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    made, executed = again(runner, first, "inputs.other=20")
    assert executed == ["side"]
    assert made.state.outputs == {"value": 4, "side": 21}
    made, executed = again(runner, first, "inputs.n=5")
    assert executed == ["a", "b", "c"]
    assert made.state.outputs == {"value": 8, "side": 11}


def test_a_large_value_can_be_set_anew(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    made, _ = again(runner, first, f"c.value={json.dumps('x' * 40_000)}")
    assert made.state.reader.load(made.state.outputs["value"]) == "x" * 40_000  # type: ignore[arg-type]  # it is stored
    back, _ = again(runner, made, "c.value=1")
    assert back.state.outputs == {"value": 1, "side": 11}


def test_a_failed_node_can_be_given_a_value(runner: Runner, tmp_path: Path) -> None:
    well = runner.act

    def unlucky(assignment: Assignment, sink: Sink) -> Outcome | JsonObject:
        if assignment.node == "b":
            return Failure("exit", "no luck")
        answer = well(assignment, sink)
        assert isinstance(answer, dict)
        return answer

    runner.act = unlucky
    first = runner.run(melody(tmp_path, CHAIN))
    assert first.state.status == "failed"
    made, executed = again(runner, first, "b.value=3")
    assert (executed, made.state.status) == (["c"], "succeeded")
    assert made.state.outputs == {"value": 4, "side": 11}
    runner.act = well
    made, executed = again(runner, first, start="side")
    assert (executed, made.state.status) == (["b", "c", "side"], "succeeded")


def test_a_halted_node_can_be_given_a_value(runner: Runner, tmp_path: Path) -> None:
    nodes = CHAIN.replace('n: "${ a.value }"}}', 'n: "${ a.value }"}, on_error: {halt: {}}}')
    well = runner.act
    runner.act = lambda assignment, sink: (
        Failure("exit", "no luck") if assignment.node == "b" else well(assignment, sink)
    )
    first = runner.run(melody(tmp_path, nodes))
    assert first.state.status == "halted"
    made, executed = again(runner, first, "b.value=3")
    assert (executed, made.state.status) == (["c"], "succeeded")


def test_a_point_inside_a_round_keeps_the_rounds_before(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, LOOP))
    assert first.state.outputs == {"value": 6}
    _, executed = again(runner, first, start="fix[1]/two")
    assert executed == ["after", "fix[1]/two", "fix[2]/one", "fix[2]/two"]
    made, executed = again(runner, first, "fix[1]/one.value=2")
    assert executed == ["after", "fix[1]/two", "fix[2]/one", "fix[2]/two", "fix[3]/one", "fix[3]/two"]
    assert made.state.outputs == {"value": 6}


def test_one_item_can_be_done_again(runner: Runner, tmp_path: Path) -> None:
    first = runner.run(melody(tmp_path, EACH))
    made, executed = again(runner, first, start="each[1]/work")
    assert executed == ["after", "each[1]/work"]
    made, executed = again(runner, first, "each[1]/work.value=50")
    assert executed == ["after"]
    assert made.state.outputs == {"value": [2, 50, 4]}


def test_failed_items_alone_are_done_again(runner: Runner, tmp_path: Path) -> None:
    well = runner.act
    runner.act = lambda assignment, sink: (
        Failure("exit", "no luck") if assignment.inputs["n"] == 3 else well(assignment, sink)
    )
    first = runner.run(melody(tmp_path, EACH))
    assert first.state.status == "failed"
    runner.act = well
    done = {event.node for event in first.events if event.type == "node.succeeded"}
    made, executed = again(runner, first, start="after")
    assert made.state.outputs == {"value": [2, 3, 4]}
    assert not done & set(executed)


def test_the_logs_of_what_was_taken_over_stay_readable(runner: Runner, tmp_path: Path) -> None:
    from polyphony_runner.runs.log_reader import read_logs
    from polyphony_runner.runtimes.protocol import NodeEvent

    def talking(assignment: Assignment, sink: Sink) -> JsonObject:
        sink(NodeEvent("log", {"level": "info", "message": f"hello from {assignment.node}"}))
        return {"value": 1}

    runner.act = talking
    made, _ = again(runner, runner.run(melody(tmp_path, CHAIN)), start="c")
    assert [line["message"] for line in read_logs(made.session.folder, "a")] == ["hello from a"]


@pytest.mark.parametrize(
    ("edits", "start", "at", "code"),
    [
        (["zz.value=1"], None, None, "PLY2751"),
        (["a.nope=1"], None, None, "PLY2751"),
        (["inputs.nope=1"], None, None, "PLY2753"),
        (["inputs.n=text"], None, None, "PLY2753"),
        (["nonsense"], None, None, "PLY2753"),
        ([], "zz", None, "PLY2751"),
        ([], None, 0, "PLY2752"),
        ([], None, 10_000, "PLY2752"),
    ],
)
def test_a_point_or_value_that_cannot_be_leaves_no_run(
    runner: Runner, tmp_path: Path, edits: Sequence[str], start: str | None, at: int | None, code: str
) -> None:
    first = runner.run(melody(tmp_path, CHAIN))
    before = sorted(runner.home.runs.iterdir())
    with pytest.raises(PolyphonyError) as refused:
        again(runner, first, *edits, start=start, at=at)
    assert refused.value.code == code
    assert sorted(runner.home.runs.iterdir()) == before


def test_inputs_may_not_widen_what_was_agreed_to(runner: Runner, tmp_path: Path) -> None:
    nodes = """\
inputs: {path: {schema: {type: string, format: path}, default: step}}
config: {permissions: {read: ["${ inputs.path }"]}}
nodes:
  a: {uses: ./step, with: {path: "${ inputs.path }"}, permissions: {read: ["${ inputs.path }"]}}
"""
    runner.act = lambda assignment, sink: {"value": 1}
    first = runner.run(melody(tmp_path, nodes))
    with pytest.raises(RunError, match="nobody agreed"):
        again(runner, first, f"inputs.path={tmp_path}")
