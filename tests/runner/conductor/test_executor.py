"""The contract of executors, and what a runtime's own bug does to a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from polyphony_runner.conductor.executor import Done, Executor, LocalExecutor, Lost, Said
from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction, NoopRuntime
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Runtime, Sink, Success
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import JsonObject, NodePath, RunId

Make = Callable[[Runtime], Executor]


def assignment(path: str = "a", package: str = "./work") -> Assignment:
    return Assignment(RunId("r"), NodePath(path), 1, package, {}, {}, {}, {}, Limits(), None, Path.cwd())


@pytest.fixture(params=["local"])
def make(request: pytest.FixtureRequest) -> Make:
    return {"local": LocalExecutor}[request.param]


def carried_out(
    make: Make, runtime: Runtime, act: Callable[[Executor], None], timeout: float | None = None
) -> list[Done | Said | Lost]:
    """Start one attempt, let ``act`` do something, wait for its end."""

    async def run() -> list[Done | Said | Lost]:
        reported: list[Done | Said | Lost] = []
        ended = asyncio.Event()

        def report(message: Done | Said | Lost) -> None:
            reported.append(message)
            if isinstance(message, Done):
                ended.set()

        executor = make(runtime)
        executor.start(assignment(), timeout, report)
        await asyncio.sleep(0)
        act(executor)
        await ended.wait()
        await executor.close()
        await asyncio.sleep(0)
        return reported

    return asyncio.run(run())


def nothing(executor: Executor) -> None:
    """Let it run."""


def functions(function: NodeFunction) -> Runtime:
    return FunctionRuntime({"*": function})


async def forever(assignment: Assignment, sink: Sink) -> JsonObject:
    await asyncio.Event().wait()
    return {}


def test_each_start_ends_once(make: Make) -> None:
    reported = carried_out(make, NoopRuntime(), nothing)
    assert [type(message) for message in reported] == [Done]
    assert isinstance(reported[0], Done)
    assert isinstance(reported[0].outcome, Success)


def test_what_a_node_says_comes_before_its_end(make: Make) -> None:
    def talk(assignment: Assignment, sink: Sink) -> JsonObject:
        sink(NodeEvent("log", {"message": "one"}))
        sink(NodeEvent("log", {"message": "two"}))
        return {}

    reported = carried_out(make, functions(talk), nothing)
    assert [type(message) for message in reported] == [Said, Said, Done]


def cancel_often(executor: Executor, times: int) -> None:
    for _ in range(times):
        executor.cancel("a")


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_attempt_ends_as_cancelled(make: Make, times: int) -> None:
    reported = carried_out(make, functions(forever), lambda executor: cancel_often(executor, times))
    assert len(reported) == 1
    assert isinstance(reported[0], Done)
    assert isinstance(reported[0].outcome, Failure)
    assert reported[0].outcome.kind == "cancelled"


def test_an_attempt_ends_at_its_timeout(make: Make) -> None:
    reported = carried_out(make, functions(forever), nothing, timeout=0.0)
    assert isinstance(reported[0], Done)
    assert isinstance(reported[0].outcome, Failure)
    assert reported[0].outcome.kind == "timeout"


class Broken:
    """A runtime with a bug."""

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        raise RuntimeError("bug")

    async def close(self) -> None:
        """Nothing."""


def test_a_bug_of_a_runtime_fails_its_node(make: Make) -> None:
    reported = carried_out(make, Broken(), nothing)
    assert isinstance(reported[0], Done)
    assert isinstance(reported[0].outcome, Failure)
    assert reported[0].outcome.kind == "internal"


def test_an_attempt_cancelled_before_its_first_step_ends_too(make: Make) -> None:
    async def run() -> list[Done | Said | Lost]:
        reported: list[Done | Said | Lost] = []
        executor = make(NoopRuntime())
        executor.start(assignment(), None, reported.append)
        executor.cancel("a")
        await executor.close()
        await asyncio.sleep(0)
        return reported

    assert len(asyncio.run(run())) == 1


def test_closing_ends_what_runs(make: Make) -> None:
    async def run() -> list[Done | Said | Lost]:
        reported: list[Done | Said | Lost] = []
        executor = make(functions(forever))
        executor.start(assignment(), None, reported.append)
        await asyncio.sleep(0)
        await executor.close()
        await asyncio.sleep(0)
        return reported

    assert len(asyncio.run(run())) == 1


def test_a_function_that_raises_is_a_failure_of_kind_exit(make: Make) -> None:
    def wrong(assignment: Assignment, sink: Sink) -> JsonObject:
        raise KeyError("x")

    reported = carried_out(make, functions(wrong), nothing)
    assert isinstance(reported[0], Done)
    assert isinstance(reported[0].outcome, Failure)
    assert reported[0].outcome.kind == "exit"
