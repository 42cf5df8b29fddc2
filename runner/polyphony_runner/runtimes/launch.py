"""From a checked attempt to a running program: the specification of its sandbox, by kind of ``run``."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.environments import uv_binary
from polyphony_runner.environments.interpreter import own_interpreter
from polyphony_runner.grants.values import words
from polyphony_runner.runtimes import wasm
from polyphony_runner.runtimes.events import EventReader, LineReader
from polyphony_runner.runtimes.host_view import bare_path, on_host, secret_file, write_secrets
from polyphony_runner.runtimes.inside import python_node, wasm_node
from polyphony_runner.runtimes.log_lines import LogLines
from polyphony_runner.runtimes.mcp import McpReader, ToolCall
from polyphony_runner.runtimes.outputs import OUT
from polyphony_runner.runtimes.protocol import NodeEvent, Sink
from polyphony_runner.runtimes.request import CANCEL, bounds, merged, request_document, request_line
from polyphony_runner.runtimes.words import SYSTEM_FOLDERS, check_program
from polyphony_runner.runtimes.words import argv as built
from polyphony_runner.sandbox.errors import WarmBootError
from polyphony_runner.sandbox.execution import Streams
from polyphony_runner.sandbox.host_places import HostPlaces
from polyphony_runner.sandbox.run import run_sandboxed
from polyphony_runner.sandbox.spec import Connection, Exit, Level, Limits, Mount, SandboxSpec
from polyphony_runner.sandbox.warm import WarmPool, WarmSpec
from polyphony_runner.sandbox.warm.call import Request
from polyphony_schemas.program import CommandStart, McpStart, PythonStart, WasmStart
from polyphony_schemas.values import JsonObject

if TYPE_CHECKING:
    from polyphony_runner.runtimes.sandboxed import Attempt

# Imported, so that Python has kept it compiled by the time the first sandbox asks for it.
INSIDE = Path(python_node.__file__).parent
NODE_FOLDER = "/polyphony"
PROGRAMS = "/polyphony-run"
APART = ("full", "full-privileged")  # levels at which a program has a file system of its own
WASM_NODE = f"{NODE_FOLDER}/wasm_node.py"
_PYTHON = ("-I", "-S", "-X", "utf8")
_FIRST_ARGUMENT = len(_PYTHON) + 2  # after the interpreter, its options and the node program


@dataclass(frozen=True, slots=True)
class Launched:
    """A program that has ended: how, the host side of its work folder, and who listened to it."""

    ended: Exit
    work: Path
    reader: LineReader


class Launcher:
    """Starts programs, cold or warm. ``state`` is the runner's home."""

    def __init__(self, state: Path, level: Level | None) -> None:
        self._state = state
        self._level = level
        self._pool: WarmPool | None = None

    async def close(self) -> None:
        """End everything that is kept warm."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()

    async def run(self, attempt: Attempt, work: Path, sink: Sink) -> Launched:
        """Run to the end of the whole tree. Raises what the reader refuses."""
        if attempt.level == "none":
            write_secrets(attempt.secrets.values, work)
        spec, reader = specification(attempt, work, sink)
        log = LogLines(sink, attempt.masker)
        streams = Streams(
            on_line=None if isinstance(attempt.prepared.start, CommandStart) else reader.line,
            on_stderr=log.feed,
            on_connection=_connections(attempt, sink),
            replies=reader.replies if isinstance(reader, McpReader) else None,
        )
        try:
            return Launched(await self._run(attempt, spec, streams), work, reader)
        finally:
            log.close()

    async def _run(self, attempt: Attempt, spec: SandboxSpec, streams: Streams) -> Exit:
        if may_be_warm(attempt):
            if self._pool is None:
                session = spec.work.parent.parent  # calls' folders are moved into the worker's and back
                self._pool = WarmPool(session / "warm", self._level, self._state)
            request = Request(spec.stdin, spec.work, spec.limits, spec.cancel_message, spec.grace)
            try:
                return await self._pool.call(warm_specification(attempt, spec), request, streams)
            except WarmBootError:
                pass  # run cold, which shows the extension's own error at the node
        return await run_sandboxed(spec, level=attempt.level, streams=streams, state=self._state)


def may_be_warm(attempt: Attempt) -> bool:
    """Whether a call may share its sandbox with earlier ones: nothing it is shown can be written or is its own."""
    start = attempt.prepared.start
    return (
        # a module is compiled and not run before a call begins: it can keep nothing of it
        ((isinstance(start, PythonStart) and start.warm) or isinstance(start, WasmStart))
        and attempt.level in APART
        and not attempt.prepared.has_file_outputs
        and not attempt.index.env
        and not attempt.plan.has_copies
        and all(mount.mode == "ro" and not mount.inside.startswith("/in/") for mount in attempt.plan.mounts)
    )


def sharing(attempt: Attempt) -> Hashable:
    """Which calls may see each other's empty work folders: those that share a warm worker; None when run cold."""
    if not may_be_warm(attempt):
        return None
    grants = json.dumps(attempt.assignment.grants, sort_keys=True, default=str)
    secrets = tuple(sorted(attempt.secrets.values.items()))
    return (attempt.prepared.package.root, tuple(attempt.plan.mounts), attempt.endpoints, secrets, grants)


def warm_specification(attempt: Attempt, spec: SandboxSpec) -> WarmSpec:
    """The worker for this call: equal extension, environment, grants, secrets and bounds share one.

    A granted path that names another file or folder by now is another grant: a worker shows what it was started with.
    """
    parts = (
        attempt.prepared.package.name,
        attempt.prepared.package.tree,
        spec.argv,
        spec.mounts,
        [_identity(mount.source) for mount in spec.mounts if not mount.shared],
        sorted(spec.env.items()),
        spec.endpoints,
        sorted((name, hashlib.sha256(value).hexdigest()) for name, value in spec.secrets.items()),
        replace(spec.limits, wall=0, cpu=None, stdout=0),
    )
    key = hashlib.sha256(repr(parts).encode()).hexdigest()
    program = wasm_node if isinstance(attempt.prepared.start, WasmStart) else python_node
    main = f"{NODE_FOLDER}/{program.__name__.rpartition('.')[2]}.py"
    return WarmSpec(key, spec, spec.argv[0], main, spec.argv[_FIRST_ARGUMENT:])


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:  # starting the worker says what is wrong
        return None
    return status.st_dev, status.st_ino


def _connections(attempt: Attempt, sink: Sink) -> Callable[[Connection], None]:
    def report(connection: Connection) -> None:
        data = {name: getattr(connection, name) for name in Connection.__slots__}
        sink(NodeEvent("connection", {key: attempt.masker.value(value) for key, value in data.items()}))

    return report


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
