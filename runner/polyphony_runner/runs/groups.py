"""Concurrency groups: runs of one group run one after the other (docs/melody.md, Configuration)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polyphony_runner.conductor.conductor import CancelRequest, Conductor
from polyphony_runner.conductor.lock_keeper import SharedLocks
from polyphony_runner.home import Home
from polyphony_runner.runs import control
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate_template
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.values import JsonValue


def group_of(melody: CompiledMelody, inputs: Mapping[str, JsonValue]) -> str | None:
    """The group of a run with these inputs, None for none; PLY2650 when it cannot be told."""
    if melody.group is None:
        return None
    try:
        group = evaluate_template(melody.group, {"inputs": dict(inputs), "trigger": {}})
    except ExpressionError as error:
        raise RunError("PLY2650", f"config.concurrency.group: {error.message}") from None
    if group is None or isinstance(group, str):
        return group or None
    raise RunError(
        "PLY2650",
        f"config.concurrency.group gave {group!r}, expected text",
        hint="write ${ string(…) } around it",
    )


async def line_up(
    conductor: Conductor, locks: SharedLocks, home: Home, notice: Callable[[str], None]
) -> CancelRequest | None:
    """Wait for the turn of a run that has not started; a request instead when ``overlap`` lets it not run at all.

    ``notice`` is told what a person would wonder about.
    """
    state = conductor.state
    if state.started_ms is not None or not state.shared:
        return None
    (name,) = state.shared
    owners = locks.owners(name)
    if owners and state.melody.overlap == "skip":
        notice(f"skipped: {owners[0]} is a run of the same group")
        return CancelRequest(reason="overlap")
    if state.melody.overlap == "cancel":
        for run in owners:
            control.ask(RunFolder(home.runs / run), CancelRequest(reason="overlap"))
    if owners:
        notice(f"waits for {', '.join(owners)} of the same group")
    await conductor.line_up()
    return None
