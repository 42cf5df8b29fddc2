"""Playing a run for a test or a preview: time does not pass while only time is waited for, nobody is asked anything."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from polyphony_runner.conductor.state import RunState
from polyphony_runner.packages import PackageSource
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink, Success
from polyphony_schemas.graph.linking import SELF
from polyphony_schemas.graph.model import CompiledMelody, Graph, GraphNode, Port
from polyphony_schemas.graph.port_values import output_schema
from polyphony_schemas.json_schema.mocks import mock
from polyphony_schemas.values import JsonValue


@dataclass(slots=True)
class SkippingClock:
    """A clock (Unix milliseconds) that jumps to the next timer when nothing else is left to wait for.

    ``put_down`` is what a Conductor asks: it leaves a run that waits for a person or a signal; with
    ``stop_waiting`` also one that waits for time.
    """

    stop_waiting: bool = False
    _ahead: int = field(default=0)

    def __call__(self) -> int:
        """Now."""
        return time.time_ns() // 1_000_000 + self._ahead

    def put_down(self, state: RunState) -> bool:
        """Whether to leave the run; jumps when time is what it waits for."""
        if state.running or state.lookups:
            return False
        if not state.timers or (self.stop_waiting and state.status == "waiting"):
            return state.status == "waiting"
        self._ahead += max(0, state.timers[0][0] - self())
        return False


class MockRuntime:
    """Succeeds at once with values that fit the declared outputs. A fake at the Runtime seam: nothing is executed."""

    def __init__(self, packages: PackageSource) -> None:
        self._packages = packages

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Make the outputs up."""
        del sink
        package = self._packages.find(assignment.package, assignment.work)
        if package is None:
            return Failure("dependency", f"the package {assignment.package!r} is not on this machine")
        ports = package.program.interface.outputs
        return Success({name: mock(output_schema(port, assignment.task)) for name, port in ports.items()})

    async def close(self) -> None:
        """Nothing is kept."""


def mocked_inputs(ports: Mapping[str, Port], given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The given inputs, and a value for each required one that lacks."""
    lacking = {name: port for name, port in ports.items() if port.required and not port.has_default}
    return {**{name: mock(port.schema) for name, port in lacking.items() if name not in given}, **given}


def answers(melody: CompiledMelody) -> dict[str, JsonValue]:
    """Pins for every node that would ask a person, or wait for a signal, by its path in every round.

    A melody that uses itself is followed as deep as it is written, not as it would run.
    """
    found: dict[str, JsonValue] = {}
    for path, node in every_node(melody):
        if (outputs := _answer(node)) is not None:
            found[path] = {"outputs": outputs}
    return found


def every_node(melody: CompiledMelody) -> Iterator[tuple[str, GraphNode]]:
    """Every node with its path in every round, those of melodies that are used as nodes too, each melody once on a way."""
    yield from _nodes(melody, melody.graph, "", frozenset({SELF}))


def _nodes(
    melody: CompiledMelody, graph: Graph, prefix: str, within: frozenset[str]
) -> Iterator[tuple[str, GraphNode]]:
    for name, node in graph.nodes.items():
        path, key = f"{prefix}{name}", node.package or ""
        yield path, node
        if node.body is not None:
            yield from _nodes(melody, node.body, f"{path}/", within)
        elif node.kind == "melody" and key not in within and key in melody.melodies:
            yield from _nodes(melody, melody.melodies[key].graph, f"{path}/", within | {key})


def _answer(node: GraphNode) -> dict[str, JsonValue] | None:
    if node.uses == "core/approve":
        return {"approved": True, "by": "preview", "comment": ""}
    if node.uses == "core/wait":
        return {"payload": None, "timed_out": False}
    return None
