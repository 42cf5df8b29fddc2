"""The one call: a specification in, an ``Exit`` out.

The task that is cancelled by the caller and the task that owns the sandbox are two: cancelling sets an event, the
owner ends the tree, waits for its pidfd, puts the host's files back, and only then ``CancelledError`` leaves.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

from polyphony_runner.sandbox.attending import Streams
from polyphony_runner.sandbox.errors import LEVEL_LACKS, LEVEL_MISMATCH, SandboxUnavailableError
from polyphony_runner.sandbox.execution import Execution
from polyphony_runner.sandbox.levels import HINT, lacks, needs_of
from polyphony_runner.sandbox.preflight import current_level, kept_level
from polyphony_runner.sandbox.prepare import prepared
from polyphony_runner.sandbox.spec import Exit, Level, OnLine, SandboxSpec

Result = TypeVar("Result")


async def run_sandboxed(
    spec: SandboxSpec,
    *,
    level: Level | None = None,
    on_line: OnLine | None = None,
    streams: Streams | None = None,
    state: Path | None = None,
) -> Exit:
    """Run to the end and say how it ended.

    ``level`` defaults to what the preflight of this machine found (SandboxUnavailableError, PLY3001, when nothing
    isolates); ``none`` only for the person who asked for it by name. ``state`` is the runner's home: intents and
    the preflight's cache live there. Raises MountRefusedError before anything runs, and what ``on_line`` raised
    (the tree is dead by then); when the calling task is cancelled the whole tree is dead before CancelledError
    leaves.
    """
    streams = streams or Streams(on_line=on_line)
    chosen = level if level is not None else await _level(state)
    _check(chosen, spec)
    cancel = asyncio.Event()
    return await finish(_run(spec, chosen, streams, state, cancel), cancel)


async def _level(state: Path | None) -> Level:
    known = kept_level()
    return known if known is not None else await asyncio.to_thread(current_level, state)


def _check(level: Level, spec: SandboxSpec) -> None:
    """The level must fit the user: host uid 0 never stays inside, and only root can change to another.

    PLY3800 for what the level cannot give the program.
    """
    fitting = "full-privileged" if os.geteuid() == 0 else "full"
    if level not in ("none", "landlock", "wasm", fitting):
        raise SandboxUnavailableError(
            LEVEL_MISMATCH,
            f"level {level!r} does not fit user id {os.geteuid()}, expected {fitting!r}",
            hint="leave the level out, or start the runner as another user",
        )
    if lacking := lacks(level, needs_of(spec)):
        raise SandboxUnavailableError(
            LEVEL_LACKS, f"sandbox level {level!r} cannot run this program: {lacking}", hint=HINT
        )


async def finish(work: Coroutine[Any, Any, Result], cancel: asyncio.Event) -> Result:
    """Await ``work`` to its very end even when cancelled: then ``cancel`` is set, and CancelledError follows."""
    inner = asyncio.ensure_future(work)
    while True:
        try:
            result = await asyncio.shield(inner)
        except asyncio.CancelledError:
            if inner.done():
                raise
            cancel.set()
            continue
        if cancel.is_set():
            raise asyncio.CancelledError
        return result


async def _run(
    spec: SandboxSpec, level: Level, streams: Streams, state: Path | None, cancel: asyncio.Event
) -> Exit:
    async with prepared(spec, level, state) as ready:
        return await Execution(streams, cancel, spec, level, ready).run()
