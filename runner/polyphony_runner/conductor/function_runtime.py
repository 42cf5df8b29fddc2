"""Runtimes that need no process: functions of this process, and the ``noop`` that does nothing.

Shipped fakes at the Runtime seam, for tests and for measuring dispatch alone. Nothing that came from a package
is ever run by them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import TypeAlias

from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from polyphony_runner.runtimes.request import Times
from polyphony_schemas.values import JsonObject

Answer: TypeAlias = Outcome | JsonObject
NodeFunction: TypeAlias = Callable[[Assignment, Sink], Answer | Awaitable[Answer]]


class FunctionRuntime:
    """Answers each assignment by the function registered for its package (or for ``"*"``).

    Time is bounded where a function awaits: one that blocks this process can be stopped by nobody.
    """

    def __init__(self, functions: Mapping[str, NodeFunction]) -> None:
        self._functions = functions

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Call the function; outputs or an outcome are its answer, an exception is a failure of kind ``exit``."""
        function = self._functions.get(assignment.package, self._functions.get("*"))
        if function is None:
            message = f"no function stands for {assignment.package!r}"
            return Failure("dependency", message, retryable=False)
        try:
            times = Times.of(assignment, assignment.limits, datetime.now(UTC))
        except NodeError as error:
            return error.as_failure()
        clock = asyncio.timeout(times.wall)
        answer: Answer
        try:
            async with clock:
                given = function(assignment, sink)
                answer = await given if isinstance(given, Awaitable) else given
        except Exception as error:  # noqa: BLE001  # whatever a node does is its failure
            answer = Failure("exit", f"{type(error).__name__}: {error}")
        if clock.expired():
            return Failure("timeout", f"took longer than {times.wall:g} s")
        return answer if isinstance(answer, (Success, Failure)) else Success(answer)

    async def close(self) -> None:
        """Nothing is kept warm."""


class NoopRuntime:
    """Succeeds at once without outputs."""

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Do nothing."""
        del assignment, sink
        return Success({})

    async def close(self) -> None:
        """Nothing is kept warm."""
