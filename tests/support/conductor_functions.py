"""What nodes do in tests of the Conductor: give a value, fail, take forever."""

from __future__ import annotations

import asyncio

from polyphony_runner.conductor.function_runtime import NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.values import JsonObject


def value(assignment: Assignment, sink: Sink) -> JsonObject:
    return {"value": 1}


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    return Failure("exit", "no luck")


async def forever(assignment: Assignment, sink: Sink) -> JsonObject:
    await asyncio.Event().wait()
    return {}


FUNCTIONS: dict[str, NodeFunction] = {"./work": value, "./bad": failing, "./slow": forever}
