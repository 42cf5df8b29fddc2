"""Starting what an attempt runs, cold or in a warm worker, and attending to it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_runner.runtimes.events import LineReader
from polyphony_runner.runtimes.host_view import write_secrets
from polyphony_runner.runtimes.log_lines import LogLines
from polyphony_runner.runtimes.mcp import McpReader
from polyphony_runner.runtimes.protocol import NodeEvent, Sink
from polyphony_runner.runtimes.specification import (
    APART,
    FIRST_ARGUMENT,
    PYTHON_NODE,
    WASM_NODE,
    specification,
)
from polyphony_runner.sandbox.errors import WarmBootError
from polyphony_runner.sandbox.execution import Streams
from polyphony_runner.sandbox.run import run_sandboxed
from polyphony_runner.sandbox.spec import Connection, Exit, Level, SandboxSpec
from polyphony_runner.sandbox.warm import WarmPool, WarmSpec
from polyphony_runner.sandbox.warm.call import Request
from polyphony_runner.sandbox.warm.pool import default_size
from polyphony_schemas.program import CommandStart, PythonStart, WasmStart

if TYPE_CHECKING:
    from polyphony_runner.runtimes.sandboxed import Attempt


@dataclass(frozen=True, slots=True)
class Launched:
    """A program that has ended: how, the host side of its work folder, and who listened to it."""

    ended: Exit
    work: Path
    reader: LineReader


class Launcher:
    """Starts programs, cold or warm. ``state`` is the runner's home, ``places`` as many as are asked for at once."""

    def __init__(self, state: Path, level: Level | None, places: int = 0) -> None:
        self._state = state
        self._level = level
        self._size = max(default_size(), places)
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
                self._pool = WarmPool(session / "warm", self._level, self._state, self._size)
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
    program = WASM_NODE if isinstance(attempt.prepared.start, WasmStart) else PYTHON_NODE
    return WarmSpec(key, spec, spec.argv[0], program, spec.argv[FIRST_ARGUMENT:])


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
