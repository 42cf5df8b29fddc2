"""Whole runs of folders on disk, their programs replaced by functions that are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction
from polyphony_runner.conductor.state import RunState
from polyphony_runner.home import Home
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.session import Session, begin
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Sink
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
pure: true
inputs: {n: {schema: {type: integer}, default: 0}, path: {schema: {type: string, format: path}, required: false}}
outputs: {value: {schema: {}}, file: {schema: {$ref: "urn:polyphony:file"}}}
permissions: {read: granted, env: granted}
run: {python: "node:main"}
"""
HEAD = "melody: v1\nname: tested\nversion: 1.0.0\n"
NODES = """\
inputs: {n: {schema: {type: integer}, default: 1}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ a.value }"}}
outputs: {value: "${ b.value }"}
"""


def package(folder: Path, nodes: str = NODES, extension: str = EXTENSION) -> Path:
    """A melody whose nodes use the extension ``./step``."""
    (folder / "step").mkdir(parents=True)
    (folder / "melody.yaml").write_text(HEAD + nodes)
    (folder / "step" / "extension.yaml").write_text(extension)
    (folder / "step" / "node.py").write_text("def main(inputs, parameters, task, context): ...\n")
    return folder


@dataclass
class Ran:
    """A run that is over."""

    session: Session

    @property
    def state(self) -> RunState:
        return self.session.state

    @property
    def events(self) -> list[Event]:
        return list(read_journal(self.session.folder.journal))

    def of(self, node: str, *types: str) -> list[Event]:
        return [event for event in self.events if event.node == node and (not types or event.type in types)]

    @property
    def cached(self) -> list[str]:
        return sorted(node.path for node in self.state.nodes.values() if node.cached)


@dataclass
class Runner:
    """Runs melodies in one home; ``calls`` are the nodes that were executed, in order."""

    home: Home
    calls: list[str] = field(default_factory=list)
    act: NodeFunction = field(
        default=lambda assignment, sink: {"value": int(str(assignment.inputs["n"])) + 1}
    )

    def begin(self, melody: Path, *inputs: str, work: Path | None = None, cache: bool = True) -> Session:
        request = RunRequest(melody, inputs=inputs, work=work or melody, cache=cache, ask=_agree)
        return begin(assemble(request, self.home), self.home)

    async def conduct(self, session: Session) -> Ran:
        with session:
            await session.conduct(
                lambda *_: FunctionRuntime({"*": self._counted}), lambda _event, _state: None
            )
        return Ran(session)

    def run(self, melody: Path, *inputs: str, work: Path | None = None, cache: bool = True) -> Ran:
        session = self.begin(melody, *inputs, work=work, cache=cache)
        return asyncio.run(self.conduct(session))

    def executed(self, melody: Path, *inputs: str, work: Path | None = None, cache: bool = True) -> list[str]:
        """Run; which nodes were executed."""
        before = len(self.calls)
        ran = self.run(melody, *inputs, work=work, cache=cache)
        assert ran.state.status == "succeeded", ran.state.error
        return self.calls[before:]

    async def _counted(self, assignment: Assignment, sink: Sink) -> Outcome | JsonObject:
        self.calls.append(assignment.node)
        answer = self.act(assignment, sink)
        return answer if not hasattr(answer, "__await__") else await answer


def _agree(lines: Sequence[str], digest: str) -> bool:
    del lines, digest
    return True


def failing(assignment: Assignment, sink: Sink) -> Outcome:
    """A node without luck."""
    del assignment, sink
    return Failure("exit", "no luck", retryable=False)
