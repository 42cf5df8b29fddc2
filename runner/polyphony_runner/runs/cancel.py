"""Cancelling from outside: through the process that executes the run, or in its place when there is none."""

from __future__ import annotations

from polyphony_runner.conductor.conductor import CancelRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.home import Home
from polyphony_runner.journal.file import is_held
from polyphony_runner.runs import control
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.session import load_state, take_up


def cancel_run(folder: RunFolder, home: Home, node: str | None, *, patience: float) -> RunState:
    """Cancel a run or one node of it and give the state afterwards; waits ``patience`` seconds for the effect.

    PLY2414 when the run is over, PLY2415 when there is no such unfinished node, PLY2416 when nothing happened.
    """
    _check(load_state(folder, home), folder, node)
    if is_held(folder.journal):
        control.ask_to_cancel(folder, node)
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
    with take_up(folder, home) as session:
        return session.cancel(CancelRequest(node))


def _check(state: RunState, folder: RunFolder, node: str | None) -> None:
    if state.finished:
        raise RunError(
            "PLY2414", f"the run {folder.run!r} is over: {state.status}", hint=f"polyphony show {folder.run}"
        )
    if node is None or node in state.frames:
        return
    known = state.nodes.get(node)
    if known is None or known.final:
        what = "there is no such node" if known is None else f"it is over: {known.status}"
        raise RunError(
            "PLY2415", f"{node!r} cannot be cancelled: {what}", hint=f"polyphony show {folder.run}"
        )
