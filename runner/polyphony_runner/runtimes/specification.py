"""What the sandbox is asked for, by kind of ``run``: words, environment, mounts, what the program is told."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.environments import uv_binary
from polyphony_runner.environments.interpreter import own_interpreter
from polyphony_runner.grants.values import words
from polyphony_runner.runtimes import wasm
from polyphony_runner.runtimes.events import EventReader, LineReader
from polyphony_runner.runtimes.host_view import bare_path, on_host, secret_file
from polyphony_runner.runtimes.inside import python_node
from polyphony_runner.runtimes.mcp import McpReader, ToolCall
from polyphony_runner.runtimes.outputs import OUT
from polyphony_runner.runtimes.protocol import Sink
from polyphony_runner.runtimes.request import CANCEL, bounds, merged, request_document, request_line
from polyphony_runner.runtimes.words import SYSTEM_FOLDERS, check_program
from polyphony_runner.runtimes.words import argv as built
from polyphony_runner.sandbox.host_places import HostPlaces
from polyphony_runner.sandbox.spec import Limits, Mount, SandboxSpec
from polyphony_schemas.program import CommandStart, McpStart, PythonStart, WasmStart
from polyphony_schemas.values import JsonObject

if TYPE_CHECKING:
    from polyphony_runner.runtimes.sandboxed import Attempt

# Imported, so that Python has kept it compiled by the time the first sandbox asks for it.
INSIDE = Path(python_node.__file__).parent
NODE_FOLDER = "/polyphony"
PROGRAMS = "/polyphony-run"
APART = ("full", "full-privileged")  # levels at which a program has a file system of its own
PYTHON_NODE = f"{NODE_FOLDER}/python_node.py"
WASM_NODE = f"{NODE_FOLDER}/wasm_node.py"
_PYTHON = ("-I", "-S", "-X", "utf8")
FIRST_ARGUMENT = len(_PYTHON) + 2  # after the interpreter, its options and the node program


@dataclass(frozen=True, slots=True)
class Told:
    """What the program is told: values with the places where it finds them, and the whole request."""

    inputs: JsonObject
    parameters: JsonObject
    request: JsonObject


def _told(attempt: Attempt, mounts: tuple[Mount, ...], work: Path) -> Told:
    assignment, values, secrets = attempt.assignment, attempt.plan.values, attempt.secrets.places
    # without mounts a program sees the host's paths; WebAssembly sees what it is shown, wherever that is
    if attempt.level == "landlock" and not isinstance(attempt.prepared.start, WasmStart):
        places = HostPlaces.at(work, mounts)
        values = {name: on_host(value, places.path) for name, value in values.items()}
    if attempt.level == "none" and not isinstance(attempt.prepared.start, WasmStart):
        bare = partial(bare_path, mounts=mounts, work=work)
        values = {name: on_host(value, bare) for name, value in values.items()}
        secrets = {name: str(secret_file(work, name)) for name in secrets}
    inputs = {name: values[name] for name in assignment.inputs}
    parameters = {name: values[name] for name in assignment.parameters}
    request = request_document(
        assignment,
        deadline=attempt.times.deadline,
        inputs=inputs,
        parameters=parameters,
        secrets=secrets,
    )
    return Told(inputs, parameters, request)


def specification(attempt: Attempt, work: Path, sink: Sink) -> tuple[SandboxSpec, LineReader]:
    """What the sandbox is asked for, and who listens to the program."""
    prepared, assignment = attempt.prepared, attempt.assignment
    programs = granted_programs(words(assignment.grants, "run"))
    if attempt.index.env:
        programs["uv"] = uv_binary()  # the one program that is meant to use the package index
    mounts = _mounts(attempt, work, programs)
    told = _told(attempt, mounts, work)
    limits = bounds(merged(assignment.limits, prepared.limits), attempt.times.wall)
    environment: JsonObject = {
        "inputs": told.inputs,
        "parameters": told.parameters,
        "task": assignment.task,
    }
    reader: LineReader = EventReader(sink, attempt.masker)
    opening = request_line(told.request)
    cancelling = CANCEL if prepared.interface.cancellable else b""
    match prepared.start:
        case PythonStart():
            argv = python_argv(attempt)
        case WasmStart(file):
            argv = _wasm_argv(attempt, file, mounts, limits)
        case CommandStart():
            argv, opening, cancelling = _argv(attempt, environment, programs), b"", b""
        case McpStart():
            argv = _argv(attempt, environment, programs)
            reader = McpReader(_tool_call(attempt, told), sink, attempt.masker)
            opening, cancelling = reader.opening, reader.cancelling
        case _:
            argv = _argv(attempt, environment, programs)
    spec = SandboxSpec(
        argv=argv,
        work=work,
        env=_environment(attempt, bool(programs)),
        mounts=mounts,
        endpoints=attempt.endpoints,
        secrets=attempt.secrets.values,
        limits=limits,
        stdin=opening,
        cancel_message=cancelling,
        host_proxy=_host_proxy() if attempt.endpoints else None,
        wasm=isinstance(prepared.start, WasmStart),
    )
    return spec, reader


def _tool_call(attempt: Attempt, told: Told) -> ToolCall:
    start, request = attempt.prepared.start, dict(told.request)
    assert isinstance(start, McpStart)  # noqa: S101  # told apart by the caller
    del request["inputs"], request["parameters"]  # the tool's arguments
    return ToolCall(
        start.tool,
        {**told.inputs, **told.parameters},
        request,
        only_text=set(attempt.prepared.outputs) == {"text"},
    )


def _wasm_argv(attempt: Attempt, file: str, mounts: tuple[Mount, ...], limits: Limits) -> tuple[str, ...]:
    """The words that start a module."""
    system = (*own_interpreter().mounts(), wasm.engine_mount(), Mount(INSIDE, NODE_FOLDER, shared=True))
    shown = [one for one in mounts if one not in system and not one.inside.startswith(f"{PROGRAMS}/")]
    program = (str(own_interpreter().executable), *_PYTHON, WASM_NODE)
    return (
        *program,
        wasm.ENGINE,
        f"/ext/{file}",
        str(limits.memory or 0),
        *wasm.places(shown, apart=attempt.level in APART),
    )


def _argv(attempt: Attempt, environment: JsonObject, programs: Mapping[str, Path]) -> tuple[str, ...]:
    prepared = attempt.prepared
    root = prepared.package.root
    made = built(prepared.words, environment, root)
    folders = (*SYSTEM_FOLDERS, str(own_interpreter().executable.parent))
    program = check_program(made[0], root, folders, {name: f"{PROGRAMS}/{name}" for name in programs})
    return (program, *made[1:])


def python_argv(attempt: Attempt) -> tuple[str, ...]:
    """The words that start a Python function cold."""
    run = attempt.prepared.start
    assert isinstance(run, PythonStart)  # noqa: S101  # told apart by the caller
    start = (str(own_interpreter().executable), *_PYTHON, f"{NODE_FOLDER}/cold.py")
    site = (str(attempt.environment.site_packages),) if attempt.environment else ()
    return (*start, run.function, "/ext", *site)


def _environment(attempt: Attempt, programs: bool) -> dict[str, str]:
    interpreter = str(own_interpreter().executable.parent)
    folders = ["/ext/bin"]
    if attempt.environment is not None:
        folders.append(attempt.environment.bin)
    if programs:
        folders.append(PROGRAMS)
    folders += SYSTEM_FOLDERS
    if interpreter not in folders:
        folders.append(interpreter)
    passed = {
        name: os.environ[name] for name in words(attempt.assignment.grants, "env") if name in os.environ
    }
    return {**passed, **attempt.index.env, "PATH": ":".join(folders)}


def _mounts(attempt: Attempt, work: Path, programs: Mapping[str, Path]) -> tuple[Mount, ...]:
    mounts = [attempt.prepared.mount, *own_interpreter().mounts()]
    if isinstance(attempt.prepared.start, PythonStart | WasmStart):
        mounts.append(Mount(INSIDE, NODE_FOLDER, shared=True))
    if attempt.environment is not None:
        mounts.append(attempt.environment.mount)
    if attempt.prepared.has_file_outputs:
        mounts.append(Mount(work / OUT, "/out", "rw"))
    mounts += [Mount(path, f"{PROGRAMS}/{name}", shared=True) for name, path in programs.items()]
    granted = (*attempt.plan.mounts, *attempt.index.mounts)
    if isinstance(attempt.prepared.start, WasmStart):
        mounts.append(wasm.engine_mount())
        if attempt.level not in APART:
            granted = tuple(wasm.staged(granted, attempt.secrets.values, work))
    return (*mounts, *granted)


def granted_programs(names: tuple[str, ...]) -> dict[str, Path]:
    """Programs named under ``run`` that lie outside what is always there: name → file on the host."""
    found = {}
    for name in names:
        place = shutil.which(name)
        if place is None or "/" in name:
            continue
        path = Path(place).resolve()
        if not path.is_relative_to("/usr"):
            found[name] = path
    return found


def _host_proxy() -> str | None:
    return os.environ.get("HTTPS_PROXY") or os.environ.get("https_proxy") or None
