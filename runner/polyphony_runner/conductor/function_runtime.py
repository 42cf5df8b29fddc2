"""Runtimes that need no process: functions of this process, and the ``noop`` that does nothing.

Shipped fakes at the Runtime seam, for tests and for measuring dispatch alone. Nothing that came from a package
is ever run by them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from polyphony_schemas.values import JsonObject

Answer: TypeAlias = Outcome | JsonObject
NodeFunction: TypeAlias = Callable[[Assignment, Sink], Answer | Awaitable[Answer]]


class FunctionRuntime:
    """Answers each assignment by the function registered for its package (or for ``"*"``)."""

    def __init__(self, functions: Mapping[str, NodeFunction]) -> None:
        self._functions = functions

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Call the function; outputs or an outcome are its answer, an exception is a failure of kind ``exit``."""
        function = self._functions.get(assignment.package, self._functions.get("*"))
        if function is None:
            return Failure("configuration", f"no function stands for {assignment.package!r}", retryable=False)
        try:
            answer = function(assignment, sink)
            if isinstance(answer, Awaitable):
                answer = await answer
        except Exception as error:  # noqa: BLE001  # whatever a node does is its failure
            return Failure("exit", f"{type(error).__name__}: {error}")
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
