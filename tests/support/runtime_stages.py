"""Runtimes with the same few nodes in each, written in that runtime's own way: what the contract test plays on.

``echo`` says what it got; ``large`` a long text; ``wrong`` a text where its port takes integers; ``refuse`` names an
error of its own; ``crash`` ends without a word; ``talk`` logs three lines; ``wait`` logs one and never ends.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Runtime, Sink
from polyphony_schemas.graph.model import Port
from polyphony_schemas.values import JsonObject
from support.runtimes_nodes import Bench
from support.sandbox_box import processes_with

LARGE = 500_000
PORTS = {"said": Port({}, required=False), "number": Port({"type": "integer"}, required=False)}
_MANIFEST: dict[str, Any] = {"outputs": {"said": {"schema": {}}, "number": {"schema": {"type": "integer"}}}}

_PYTHON = {
    "echo": "return {'said': {'inputs': i, 'parameters': p, 'task': t}}",
    "large": f"return {{'said': 'x' * {LARGE}}}",
    "wrong": "return {'number': 'text'}",
    "refuse": "c.fail('model', 'bad answer', retryable=True)",
    "crash": "raise ValueError('no good')",
    "talk": "[c.log(word) for word in ('one', 'two', 'three')]; return {}",
    "wait": "import subprocess; c.log('here'); subprocess.run(['sleep', 'MARK'])",
}
_SHELL = {
    "echo": """printf '{"type":"result","outputs":{"said":%s}}\\n' "$request\"""",
    "large": f"""printf '{{"type":"result","outputs":{{"said":"'; head -c {LARGE} /dev/zero | tr '\\0' x; echo '"}}}}'""",
    "wrong": """echo '{"type":"result","outputs":{"number":"text"}}'""",
    "refuse": """echo '{"type":"error","kind":"model","message":"bad answer","retryable":true}'""",
    "crash": "exit 3",
    "talk": """for word in one two three; do echo "{\\"type\\":\\"log\\",\\"message\\":\\"$word\\"}"; done
echo '{"type":"result","outputs":{}}'""",
    "wait": """echo '{"type":"log","message":"here"}'; sleep MARK""",
}


@dataclass(frozen=True)
class Stage:
    """One runtime; ``uses`` finds its nodes by name, ``busy`` says whether anything they started still lives."""

    runtime: Runtime
    bench: Bench
    uses: Mapping[str, str]
    busy: Callable[[], bool]

    def assignment(self, node: str, **values: Any) -> Assignment:
        """One attempt of a node (or of what no runtime knows)."""
        return self.bench.assignment(self.uses.get(node, node), **values)


def python_stage(root: Path, *, warm: bool) -> Stage:
    """The nodes as Python functions in sandboxes."""
    bench, mark = Bench(root), _mark()
    uses = {
        name: bench.python(
            f"def main(i, p, t, c):\n    {body.replace('MARK', mark)}\n", run={"warm": warm}, **_MANIFEST
        )
        for name, body in _PYTHON.items()
    }
    return Stage(bench.runtime, bench, uses, lambda: bool(processes_with(mark)))


def process_stage(root: Path) -> Stage:
    """The nodes as shell scripts that speak the protocol, in sandboxes."""
    bench, mark = Bench(root), _mark()
    uses = {
        name: bench.extension(
            name,
            {"bin/node": f"#!/bin/sh\nread -r request\n{body.replace('MARK', mark)}\n"},
            run={"process": ["bin/node"]},
            **_MANIFEST,
        )
        for name, body in _SHELL.items()
    }
    return Stage(bench.runtime, bench, uses, lambda: bool(processes_with(mark)))


def function_stage(root: Path) -> Stage:
    """The nodes as functions of this process."""
    waiting: list[Assignment] = []

    async def wait(assignment: Assignment, sink: Sink) -> JsonObject:
        waiting.append(assignment)
        try:
            sink(NodeEvent("log", {"level": "info", "message": "here"}))
            await asyncio.Event().wait()
        finally:
            waiting.remove(assignment)
        return {}

    functions: dict[str, NodeFunction] = {
        "echo": _echo,
        "large": lambda assignment, sink: {"said": "x" * LARGE},
        "wrong": lambda assignment, sink: {"number": "text"},
        "refuse": lambda assignment, sink: Failure("model", "bad answer", retryable=True),
        "crash": _crash,
        "talk": _talk,
        "wait": wait,
    }
    uses = {name: name for name in functions}
    return Stage(FunctionRuntime(functions), Bench(root), uses, lambda: bool(waiting))


def _mark() -> str:
    """A number of seconds that no other process sleeps, so that a survivor would be found by it."""
    return str(10**9 + secrets.randbelow(10**9))


def _echo(assignment: Assignment, sink: Sink) -> JsonObject:
    said = {"inputs": assignment.inputs, "parameters": assignment.parameters, "task": assignment.task}
    return {"said": said}


def _crash(assignment: Assignment, sink: Sink) -> Outcome:
    raise ValueError("no good")


def _talk(assignment: Assignment, sink: Sink) -> JsonObject:
    for word in ("one", "two", "three"):
        sink(NodeEvent("log", {"level": "info", "message": word}))
    return {}
