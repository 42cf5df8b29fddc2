"""Cancelling from outside: through the process that executes the run, or in its place when there is none."""

from __future__ import annotations

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held
from polyphony_runner.runs import control
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.session import RuntimeFactory, load_state, take_up
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean


def cancel_run(
    folder: RunFolder, home: Home, request: CancelRequest, *, patience: float, runtime: RuntimeFactory
) -> RunState:
    """Cancel a run or one node of it and give the state afterwards; waits ``patience`` seconds for the effect.

    A run that no process executes is taken up here, and its completed nodes are undone with ``runtime``.
    PLY2414 when the run is over, PLY2415 when there is no such unfinished node, PLY2416 when nothing happened.
    """
    node = request.node
    _check(load_state(folder, home), folder, node)
    if is_held(folder.journal):
        control.ask(folder, request)
        if control.took_effect(folder, node, patience):
            return load_state(folder, home)
        control.clear(folder)
        if is_held(folder.journal):
            raise RunError(
                "PLY2416",
                f"the run {folder.run!r} did not react within {patience:g} s",
                hint="look with polyphony show, and try again",
            )
        _check(load_state(folder, home), folder, node)
    undoing = load_state(folder, home).undoing
    if node is None and request.undo and (undoing.stack or undoing.active):
        with resume(folder, home) as session:
            return session.execute(runtime, _unobserved, request)
    with take_up(folder, home) as session:
        return session.cancel(request)


def _unobserved(event: Event, state: RunState) -> None:
    """Nobody watches: the answer is the state at the end."""


def _check(state: RunState, folder: RunFolder, node: str | None) -> None:
    if state.finished:
        raise RunError(
            "PLY2414", f"the run {folder.run!r} is over: {state.status}", hint=f"polyphony show {folder.run}"
        )
    if node is None or node in state.frames:
        return
    known = state.nodes.get(node)
    if known is None or known.final:
        open_ones = [path for path, one in state.nodes.items() if not one.final]
        raise RunError(
            "PLY2415",
            f"{node!r} cannot be cancelled: {_why_not(state, node)}",
            hint=did_you_mean(node, [*open_ones, *state.frames]) or f"polyphony show {folder.run}",
        )


def _why_not(state: RunState, node: str) -> str:
    known = state.nodes.get(node)
    if known is not None:
        return f"it is over: {known.status}"
    inside = any(path.startswith(f"{node}/") for path in state.nodes)
    return "it is over" if inside else "there is no such node"
