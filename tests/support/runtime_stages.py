"""Runtimes with the same few nodes in each, written in that runtime's own way: what the contract test plays on.

``echo`` says what it got; ``large`` a long text; ``wrong`` a text where its port takes integers; ``refuse`` names an
error of its own; ``crash`` ends without a word; ``talk`` logs three lines; ``wait`` logs one and never ends.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from polyphony_runner.conductor.function_runtime import FunctionRuntime, NodeFunction
from polyphony_runner.runtimes.protocol import Assignment, Failure, NodeEvent, Outcome, Runtime, Sink
from polyphony_schemas.graph.model import Port
from polyphony_schemas.values import JsonObject, JsonValue
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


# What a server says to a call of its one tool; ``arguments`` and ``meta`` are the call's.
_TOOL = {
    "echo": """
named = {name: arguments.pop(name) for name in ("size",) if name in arguments}
result({"said": {"inputs": arguments, "parameters": named, "task": meta["polyphony/request"]["task"]}})""",
    "large": f"result({{'said': 'x' * {LARGE}}})",
    "wrong": "result({'number': 'text'})",
    "refuse": "reply({'isError': True, 'content': [{'type': 'text', 'text': 'bad answer'}]})",
    "crash": "sys.exit(3)",
    "talk": "[log(word) for word in ('one', 'two', 'three')]; result({})",
    "wait": "import subprocess; log('here'); subprocess.run(['sleep', 'MARK'])",
}
# A command has the ports stdout, stderr and status, and no words for errors: its answer is the text it writes.
_COMMAND = {
    "echo": 'exec python3 /ext/echo.py "$@"',
    "large": f"""printf '"'; head -c {LARGE} /dev/zero | tr '\\0' x; printf '"'""",
    "wrong": "mkdir /out/file",
    "refuse": "echo bad answer >&2; exit 7",
    "crash": "exit 3",
    "talk": "for word in one two three; do echo $word >&2; done",
    "wait": "echo here >&2; sleep MARK",
}


# Each name is followed by its value, if there is one; words are texts, whatever they were.
_ECHO_WORDS = """
import json, sys
said, name = {"inputs": {}, "parameters": {}, "task": {}}, ""
parts = {"text": "inputs", "n": "inputs", "size": "parameters", "objective": "task"}
for word in sys.argv[1:]:
    if word in parts:
        name = word
    else:
        said[parts[name]][name] = int(word) if name in ("n", "size") else word
print(json.dumps(said))
"""
_ECHOED = ("inputs.text", "inputs.n", "parameters.size", "task.objective")
GIVEN: dict[str, JsonObject] = {
    "inputs": {"text": "ä\n\"'\\ 𝄞", "none": None, "deep": [[{"a": 1.5}], True]},
    "parameters": {"size": 2**40},
    "task": {"objective": "echo"},
}


@dataclass(frozen=True)
class Stage:
    """One runtime; ``uses`` finds its nodes by name, ``busy`` says whether anything they started still lives.

    ``refusal`` is the kind and the message as which the error that ``refuse`` names arrives,
    ``given`` what ``echo`` can be told.
    """

    runtime: Runtime
    bench: Bench
    uses: Mapping[str, str]
    busy: Callable[[], bool]
    refusal: tuple[str, str] = ("model", "bad answer")
    given: Mapping[str, JsonObject] = field(default_factory=lambda: GIVEN)

    def said(self, outputs: JsonObject) -> JsonValue:
        """What a node answered, by whatever port its kind has."""
        if "stdout" not in outputs:
            return outputs["said"]
        text = outputs["stdout"]
        whole = (
            text
            if isinstance(text, str)
            else self.bench.artifacts.read(str(cast("JsonObject", text)["digest"]))
        )
        return cast("JsonValue", json.loads(whole))

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


def command_stage(root: Path) -> Stage:
    """The nodes as shell commands, in sandboxes."""
    bench, mark = Bench(root), _mark()
    words = [
        word
        for place in _ECHOED
        for word in (place.partition(".")[2], f"${{ has({place}) ? [{place}] : [] }}")
    ]
    uses = {
        name: bench.extension(
            name,
            {"echo.py": _ECHO_WORDS},
            run={"command": ["sh", "-c", body.replace("MARK", mark), "sh", *words]},
            outputs={"file": {"schema": {"$ref": "urn:polyphony:file"}}},
        )
        for name, body in _COMMAND.items()
    }
    refusal = ("exit", "the program ended with status 7")
    given = {**GIVEN, "inputs": {"text": GIVEN["inputs"]["text"]}}
    return Stage(bench.runtime, bench, uses, lambda: bool(processes_with(mark)), refusal, given)


def mcp_stage(root: Path) -> Stage:
    """The nodes as tools of MCP servers, in sandboxes."""
    bench, mark = Bench(root), _mark()
    uses = {
        name: bench.extension(
            name,
            {"server.py": server(body.replace("MARK", mark))},
            run={"mcp": {"command": ["python3", "server.py"], "tool": "act"}},
            **_MANIFEST,
        )
        for name, body in _TOOL.items()
    }
    return Stage(bench.runtime, bench, uses, lambda: bool(processes_with(mark)), ("exit", "bad answer"))


def wasm_stage(root: Path) -> Stage:
    """The nodes as WebAssembly, in sandboxes."""
    from support.wasm_programs import BUFFER, FOREVER, WasmProgram

    bench, mark = Bench(root), _mark()
    log = '{"type":"log","message":"%s"}'
    ending = '{"type":"error","kind":"model","message":"bad answer","retryable":true}'
    result = '{"type":"result","outputs":%s}'
    filled = f"(memory.fill (i32.const {BUFFER}) (i32.const {ord('x')}) (i32.const {LARGE}))"
    written = f"(call $put (i32.const 1) (i32.const {BUFFER}) (i32.const {LARGE}))"
    opening = '{"type":"result","outputs":{"said":'
    programs = {
        "echo": WasmProgram().hear().say(opening, end="").repeat().say("}}"),
        "large": WasmProgram().say(opening + '"', end="").act(filled).act(written).say('"}}'),
        "wrong": WasmProgram().say(result % '{"number":"text"}'),
        "refuse": WasmProgram().say(ending),
        "crash": WasmProgram().exit(3),
        "talk": WasmProgram().say(
            "\n".join([log % word for word in ("one", "two", "three")] + [result % "{}"])
        ),
        "wait": WasmProgram().say(log % "here").act(FOREVER),
    }
    uses = {
        name: bench.extension(
            name,
            {f"{name}-{mark}.wasm" if name == "wait" else "node.wasm": program.bytes()},
            run={"wasm": f"{name}-{mark}.wasm" if name == "wait" else "node.wasm"},
            **_MANIFEST,
        )
        for name, program in programs.items()
    }
    return Stage(bench.runtime, bench, uses, lambda: bool(processes_with(mark)))


def server(body: str) -> str:
    """The source of an MCP server whose one tool does this."""
    return f"""
import json, sys
def say(**message):
    print(json.dumps({{"jsonrpc": "2.0", **message}}), flush=True)
def log(text):
    say(method="notifications/message", params={{"level": "info", "data": text}})
def reply(result):
    say(id=number, result=result)
def result(outputs):
    reply({{"content": [], "structuredContent": outputs}})
for line in sys.stdin:
    message = json.loads(line)
    number = message.get("id")
    if message["method"] == "initialize":
        reply({{"protocolVersion": message["params"]["protocolVersion"], "capabilities": {{"tools": {{}}}}, "serverInfo": {{"name": "s", "version": "1"}}}})
    elif message["method"] == "tools/call":
        arguments, meta = message["params"]["arguments"], message["params"]["_meta"]
        {body.strip().replace(chr(10), chr(10) + "        ")}
"""


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
