"""Melodies for tests of the Conductor: written as documents, compiled by the real compiler, run on functions."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.conductor.assignments import RunContext
from polyphony_runner.conductor.conductor import Conductor, replay
from polyphony_runner.conductor.executor import LocalExecutor
from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.conductor.values import load
from polyphony_runner.journal import Event, Journal, MemoryJournal
from polyphony_runner.packages import PackageTable
from polyphony_runner.runs.logs import RunLogs
from polyphony_schemas.graph.compile import compile_melody
from polyphony_schemas.graph.interface import melody_interface
from polyphony_schemas.graph.linking import Unlinked, link
from polyphony_schemas.graph.model import CompiledMelody, Port
from polyphony_schemas.melody import Melody
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonValue, RunId

WORK = PackageInterface(
    kind="extension",
    name="work",
    version="1.0.0",
    any_inputs=Port({}, required=False),
    outputs={name: Port({}, required=False) for name in ("value", "other", "list")},
    run="python",
)
PACKAGES = {f"./{name}": WORK for name in ("work", "slow", "bad", "count", "echo")}


def compiled(
    nodes: Mapping[str, Any],
    connections: Sequence[Any] = (),
    *,
    outputs: Mapping[str, Any] | None = None,
    inputs: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    packages: Mapping[str, PackageInterface] = PACKAGES,
) -> CompiledMelody:
    """The compiled graph of a melody given by its parts."""
    document = {
        "melody": "v1",
        "name": "tested",
        "version": "1.0.0",
        "nodes": dict(nodes),
        "connections": list(connections),
        "outputs": dict(outputs or {}),
        "inputs": dict(inputs or {}),
        "config": dict(config or {}),
    }
    return compile_melody(Melody.model_validate(document), packages)


@dataclass
class Played:
    """A run that is over: its state, and every event with its place."""

    state: RunState
    events: list[Event]
    conductor: Conductor = field(repr=False)

    @property
    def statuses(self) -> dict[str, str]:
        return {path: node.status for path, node in self.state.nodes.items()}

    @property
    def outputs(self) -> dict[str, Any]:
        return {name: load(value, self.conductor.values) for name, value in self.state.outputs.items()}

    def order(self, type_: str = "node.started") -> list[str]:
        return [event.node or "" for event in self.events if event.type == type_]

    def events_of(self, path: str) -> list[str]:
        return [event.type for event in self.events if event.node == path]


class Player:
    """Plays melodies on functions, in memory, under one folder for artifacts and logs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.values = ValueStore(FolderArtifacts(folder / "artifacts"))
        self._numbers = itertools.count()

    def fresh(self, melody: CompiledMelody) -> RunState:
        return RunState(melody, self.values)

    def conductor(
        self, melody: CompiledMelody, functions: Mapping[str, NodeFunction], journal: Journal
    ) -> Conductor:
        context = RunContext(RunId("r_test"), self.folder, self.folder, PackageTable())
        return Conductor(
            state=replay(self.fresh(melody), journal),
            journal=journal,
            executor=LocalExecutor(FunctionRuntime(functions)),
            context=context,
            values=self.values,
            logs=RunLogs(self.folder / f"logs{next(self._numbers)}"),
            luck=lambda: 0.0,
        )

    def begin(self, conductor: Conductor, inputs: Mapping[str, JsonValue]) -> None:
        if conductor.state.next_seq == 0:
            conductor.record(Draft("run.created", data={"inputs": dict(inputs)}), Draft("run.started"))
        else:
            conductor.record(Draft("run.resumed"))

    def play(
        self,
        melody: CompiledMelody,
        functions: Mapping[str, NodeFunction] | None = None,
        *,
        inputs: Mapping[str, JsonValue] | None = None,
        journal: Journal | None = None,
        during: Callable[[Conductor], Any] | None = None,
    ) -> Played:
        """Run to the end, check that a replay gives the same state."""
        journal = journal or MemoryJournal()
        conductor = self.conductor(melody, functions or {"*": lambda assignment, sink: {}}, journal)

        async def run() -> None:
            self.begin(conductor, inputs or {})
            task = asyncio.ensure_future(during(conductor)) if during else None
            try:
                await conductor.run()
            finally:
                if task is not None:
                    task.cancel()
                await conductor.executor.close()

        asyncio.run(run())
        again = replay(self.fresh(melody), journal)
        assert again.facts() == conductor.state.facts()
        return Played(conductor.state, list(journal.events()), conductor)


def work(uses: str = "./work", given: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A node of the test extension; ``given`` is its ``with``."""
    return {"uses": uses, "with": dict(given or {}), **keys}


def core(name: str, values: Mapping[str, Any] | None = None, **keys: Any) -> dict[str, Any]:
    """A node of the Conductor itself."""
    return {"uses": f"core/{name}", "with": dict(values or {}), **keys}


def needs(*sources: str) -> dict[str, str]:
    """A ``with`` that refers to the values of other nodes, one port for each."""
    return {f"from_{source}": f"${{ {source}.value }}" for source in sources}


def linked(root: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]] | None = None) -> CompiledMelody:
    """Melodies that use each other, written as parts of documents; ``others`` by the words of ``uses``."""
    documents = {".": root, **(others or {})}
    melodies = {
        key: Melody.model_validate({"melody": "v1", "name": "tested", "version": "1.0.0", **parts})
        for key, parts in documents.items()
    }
    known = {**PACKAGES, **{key: melody_interface(melody) for key, melody in melodies.items()}}
    same = {key: key for key in known}
    compiled = {key: Unlinked(compile_melody(melody, known), same) for key, melody in melodies.items()}
    return link(compiled.pop("."), compiled)
