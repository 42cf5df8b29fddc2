"""``polyphony preview``: the run that would be, with made-up values in place of programs. Nothing is executed.

The same core drives it that drives real runs; the executor answers with pins and mocks (``trial``).
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.conductor.assignments import RunContext
from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.directives import DirectiveError, check_inputs
from polyphony_runner.conductor.executor import LocalExecutor
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.paths import without_rounds
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.conductor.values import loaded
from polyphony_runner.journal.protocol import MemoryJournal
from polyphony_runner.packages import Package, PackageSource, PackageTable
from polyphony_runner.runs.assemble import RunRequest, Score, evaluate_ceiling, read_score
from polyphony_runner.runs.inputs import given_inputs
from polyphony_runner.runs.logs import RunLogs
from polyphony_runner.runs.report import error_document
from polyphony_runner.runs.trial import MockRuntime, SkippingClock, answers, mocked_inputs
from polyphony_schemas.errors import UsageError
from polyphony_schemas.graph.model import Graph, GraphNode, Limits, Port
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.permissions.whole import whole_of
from polyphony_schemas.values import JsonObject, JsonValue, RunId

Pins = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do, with these values: ``state`` is its end."""

    score: Score
    state: RunState
    inputs: Mapping[str, JsonValue]
    pins: Pins

    def to_json(self) -> dict[str, JsonValue]:
        """The document of ``preview --json``."""
        state, melody = self.state, self.score.melody
        return {
            "name": melody.name,
            "version": melody.version,
            "status": state.status,
            "error": error_document(state.error),
            "inputs": dict(self.inputs),
            "outputs": loaded(state.outputs, state.reader),
            "nodes": self._nodes(),
            "permissions": canonical_document(self.score.consented),
            "digest": digest(self.score.consented),
            "effective": whole_of(self.score.melody).to_json(),
            "cost": cost_bound(self.score),
        }

    def _nodes(self) -> list[JsonValue]:
        """Each node of the graph once: how often it would run, and how it would end."""
        rows: dict[str, dict[str, JsonValue]] = {}
        for path, node in self.state.nodes.items():
            row = rows.setdefault(
                without_rounds(path),
                {
                    "node": without_rounds(path),
                    "uses": node.spec.uses or node.spec.kind,
                    "times": 0,
                    "ended": {},
                },
            )
            ended = row["ended"]
            counts = dict(ended) if isinstance(ended, Mapping) else {}
            counts[node.status] = int(str(counts.get(node.status, 0))) + 1
            row["ended"] = counts
            row["times"] = int(str(row["times"])) + (node.attempt > 0)
            row["values"] = "pinned" if self.state.pinned(path) is not None else _origin(node.spec)
        return [row for _, row in sorted(rows.items())]


def _origin(spec: GraphNode) -> str:
    return "mock" if spec.kind == "extension" else "computed"


def preview(request: RunRequest, pins: Pins, installed: PackageSource | None) -> Preview:
    """Play the run with pins and mocks. What cannot be put together raises as a run would."""
    score = read_score(request, installed)
    given = given_inputs(score.melody.inputs, request.inputs, request.inputs_file)
    inputs = _inputs(score.melody.inputs, given)
    with tempfile.TemporaryDirectory(prefix="polyphony-preview-") as folder:
        state = asyncio.run(_play(score, inputs, {**answers(score.melody), **pins}, request, Path(folder)))
        # large values lie in the folder that goes away
        state.outputs = loaded(state.outputs, state.reader)
    return Preview(score, state, inputs, pins)


def _inputs(ports: Mapping[str, Port], given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    try:
        return check_inputs(ports, mocked_inputs(ports, given))
    except DirectiveError as error:
        raise UsageError(
            "PLY2403", f"no value could be made up: {error.message}", hint="give it with --input NAME=VALUE"
        ) from error


async def _play(
    score: Score, inputs: Mapping[str, JsonValue], pins: Pins, request: RunRequest, folder: Path
) -> RunState:
    values = ValueStore(FolderArtifacts(folder / "artifacts"))
    table, clock = PackageTable(dict(score.packages)), SkippingClock(stop_waiting=False)
    ceiling = {key: _items(value) for key, value in evaluate_ceiling(score.melody, inputs).items()}
    conductor = Conductor(
        state=RunState(score.melody, values),
        journal=MemoryJournal(),
        executor=LocalExecutor(MockRuntime(table)),
        context=RunContext(RunId("r_preview"), request.work or Path.cwd(), score.folder, table, ceiling),
        values=values,
        logs=RunLogs(folder / "logs"),
        clock=clock,
        put_down=clock.put_down,
    )
    outputs: dict[str, JsonValue] = {path: _outputs(pin) for path, pin in pins.items()}
    conductor.record(
        Draft("run.created", data={"inputs": dict(inputs), "pins": outputs}), Draft("run.started")
    )
    try:
        return await conductor.run()
    finally:
        await conductor.executor.close()


def _outputs(pin: JsonValue) -> JsonValue:
    return pin.get("outputs", {}) if isinstance(pin, Mapping) else {}


def _items(value: JsonValue) -> tuple[JsonValue, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def cost_bound(score: Score) -> JsonObject:
    """The most a run may spend: budgets, else the sum of the limits of the nodes that use models.

    ``unknown`` names nodes that nothing bounds: then ``usd`` and ``tokens`` are null unless the run has a budget.
    """
    melody, spent = score.melody, _Spending(score)
    spent.add(melody.graph, melody.limits, 1)
    usd, tokens = (None, None) if spent.unknown else (f"{spent.usd:f}", spent.tokens)
    return {
        "usd": _least(melody.budget_usd, usd),
        "tokens": min((one for one in (melody.budget_tokens, tokens) if one is not None), default=None),
        "wall_ms": melody.budget_wall_ms,
        "unknown": sorted(spent.unknown),
    }


def _least(budget: str | None, sum_: str | None) -> str | None:
    found = [Decimal(one) for one in (budget, sum_) if one is not None]
    return f"{min(found):f}" if found else None


@dataclass(slots=True)
class _Spending:
    """USD and tokens that the nodes of a melody may spend, and the paths of those without a bound."""

    score: Score
    usd: Decimal = Decimal(0)
    tokens: int = 0
    unknown: set[str] = field(default_factory=set)

    def add(
        self, graph: Graph, limits: Limits, times: int, prefix: str = "", within: tuple[str, ...] = ()
    ) -> None:
        """Count the nodes of a graph that may run so often; ``within`` are the melodies around it."""
        for name, node in graph.nodes.items():
            path, key = f"{prefix}{name}", node.package or ""
            inner = self.score.melody.melodies.get(key)
            if node.body is not None:
                rounds = node.loop.max if node.loop is not None and node.kind != "block" else 1
                self.add(node.body, limits, times * rounds, f"{path}/", within)
            elif node.kind == "melody":
                if inner is None or key in within:  # it uses itself: how deep is not known
                    self.unknown.add(path)
                else:
                    self.add(inner.graph, inner.limits, times, f"{path}/", (*within, key))
            elif _uses_models(node, self.score.packages):
                self._node(node, limits, times, path)

    def _node(self, node: GraphNode, limits: Limits, times: int, path: str) -> None:
        retry = node.on_error.retry
        most = times * (1 + (retry.max if retry is not None else 0))
        usd, tokens = node.limits.usd or limits.usd, node.limits.tokens or limits.tokens
        if usd is None or tokens is None:
            self.unknown.add(path)
        self.usd += most * Decimal(usd or 0)
        self.tokens += most * (tokens or 0)


def _uses_models(node: GraphNode, packages: Mapping[str, Package]) -> bool:
    package = packages.get(node.package or "")
    return package is not None and "models" in package.program.interface.permissions
