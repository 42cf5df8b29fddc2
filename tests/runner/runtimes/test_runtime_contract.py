"""The contract of runtimes (``runtimes.protocol.Runtime``), for every implementation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

import pytest

from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Success
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.graph.port_values import check_outputs
from polyphony_schemas.values import ERROR_KINDS, JsonValue
from support.runtime_stages import (
    LARGE,
    PORTS,
    Stage,
    command_stage,
    function_stage,
    mcp_stage,
    process_stage,
    python_stage,
    wasm_stage,
)

Result = TypeVar("Result")

_STAGES: dict[str, Callable[[Path], Stage]] = {
    "python": lambda root: python_stage(root, warm=False),
    "warm python": lambda root: python_stage(root, warm=True),
    "process": process_stage,
    "command": command_stage,
    "mcp": mcp_stage,
    "wasm": wasm_stage,
    "functions": function_stage,
}


if find_spec("wasmtime") is None:  # the runner alone: its extra is not installed there
    del _STAGES["wasm"]


@pytest.fixture(params=_STAGES)
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    return _STAGES[request.param](tmp_path)


def played(stage: Stage, act: Callable[[], Awaitable[Result]]) -> Result:
    """Do something with the runtime, and close it."""

    async def play() -> Result:
        try:
            return await act()
        finally:
            await stage.runtime.close()
            await stage.runtime.close()

    return asyncio.run(play())


def attempt(stage: Stage, assignment: Assignment) -> tuple[Outcome, list[NodeEvent]]:
    """Run one attempt."""
    events: list[NodeEvent] = []
    outcome = played(stage, lambda: stage.runtime.run(assignment, events.append))
    assert outcome.seconds >= 0
    return outcome, events


def failed(stage: Stage, assignment: Assignment) -> Failure:
    """Run one attempt that has to fail."""
    outcome, _ = attempt(stage, assignment)
    assert isinstance(outcome, Failure), outcome
    assert outcome.kind in ERROR_KINDS
    assert outcome.message
    return outcome


def said(stage: Stage, outcome: Outcome) -> JsonValue:
    assert isinstance(outcome, Success), outcome
    return stage.said(outcome.outputs)


def echoed(stage: Stage, outcome: Outcome) -> dict[str, JsonValue]:
    got = said(stage, outcome)
    assert isinstance(got, dict)
    return {name: got[name] for name in ("inputs", "parameters", "task")}


def messages(events: list[NodeEvent]) -> list[JsonValue]:
    return [
        event.data["message"] for event in events if event.type == "log" and event.data["level"] == "info"
    ]


def test_a_node_gets_what_its_assignment_says_and_its_answer_arrives(stage: Stage) -> None:
    outcome, _ = attempt(stage, stage.assignment("echo", **stage.given))
    assert echoed(stage, outcome) == stage.given


def test_a_large_answer_arrives_whole(stage: Stage) -> None:
    outcome, _ = attempt(stage, stage.assignment("large"))
    assert said(stage, outcome) == "x" * LARGE


def test_what_a_node_says_of_its_failure_arrives_as_said(stage: Stage) -> None:
    failure = failed(stage, stage.assignment("refuse"))
    assert (failure.kind, failure.message, failure.retryable) == (*stage.refusal, True)


def test_a_node_that_breaks_is_a_failure_of_kind_exit(stage: Stage) -> None:
    assert failed(stage, stage.assignment("crash")).kind == "exit"


def test_a_package_that_is_not_there_is_a_failure_that_no_retry_mends(stage: Stage) -> None:
    failure = failed(stage, stage.assignment("./nobody"))
    assert (failure.kind, failure.retryable) == ("dependency", False)
    assert "'./nobody'" in failure.message


def test_an_answer_that_breaks_its_ports_is_refused_or_left_as_it_is(stage: Stage) -> None:
    outcome, _ = attempt(stage, stage.assignment("wrong"))
    if isinstance(outcome, Failure):
        assert outcome.kind == "validation"
    else:
        assert check_outputs(PORTS, outcome.outputs, {})[1] is not None


def test_lines_arrive_in_order_in_the_thread_of_the_loop(stage: Stage) -> None:
    threads: set[int] = set()
    events: list[NodeEvent] = []

    def sink(event: NodeEvent) -> None:
        threads.add(threading.get_ident())
        events.append(event)

    outcome = played(stage, lambda: stage.runtime.run(stage.assignment("talk"), sink))
    assert isinstance(outcome, Success), outcome
    assert messages(events) == ["one", "two", "three"]
    assert threads == {threading.get_ident()}


def test_the_time_of_an_attempt_is_bounded(stage: Stage) -> None:
    failure = failed(stage, stage.assignment("wait", limits=Limits(timeout_ms=300)))
    assert failure.kind == "timeout"
    assert not stage.busy()


def test_the_deadline_bounds_it_too(stage: Stage) -> None:
    deadline = datetime.now(UTC) + timedelta(milliseconds=300)
    assert failed(stage, stage.assignment("wait", deadline=deadline)).kind == "timeout"
    assert not stage.busy()


def test_a_passed_deadline_ends_an_attempt_before_the_node_starts(stage: Stage) -> None:
    outcome, events = attempt(stage, stage.assignment("wait", deadline=datetime.now(UTC)))
    assert isinstance(outcome, Failure), outcome
    assert outcome.kind == "timeout"
    assert messages(events) == []


def test_a_cancelled_attempt_has_ended_and_the_runtime_is_as_before(stage: Stage) -> None:
    events: list[NodeEvent] = []

    async def cancel_while_it_runs() -> Outcome:
        task = asyncio.ensure_future(stage.runtime.run(stage.assignment("wait"), events.append))
        while messages(events) != ["here"] or not stage.busy():
            assert not task.done(), task.result()
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not stage.busy()
        heard = len(events)
        outcome = await stage.runtime.run(stage.assignment("echo"), lambda event: None)
        assert len(events) == heard
        return outcome

    outcome = played(stage, cancel_while_it_runs)
    assert echoed(stage, outcome) == {"inputs": {}, "parameters": {}, "task": {}}


def test_attempts_at_the_same_time_are_apart(stage: Stage) -> None:
    heard: list[list[NodeEvent]] = [[], []]

    async def together() -> list[Outcome]:
        talking = [stage.runtime.run(stage.assignment("talk"), events.append) for events in heard]
        echoing = [
            stage.runtime.run(stage.assignment("echo", inputs={"n": number}), lambda event: None)
            for number in range(3)
        ]
        return await asyncio.gather(*echoing, *talking)

    outcomes = played(stage, together)
    assert [echoed(stage, outcome)["inputs"] for outcome in outcomes[:3]] == [
        {"n": number} for number in range(3)
    ]
    assert [messages(events) for events in heard] == [["one", "two", "three"]] * 2
