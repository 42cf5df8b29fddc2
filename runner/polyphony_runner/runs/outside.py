"""Signals and decisions from outside: through the process that executes a run, or into its journal when none does.

Nothing is started here: a run that no process executes keeps what came, and goes on with it at ``polyphony resume``.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.maps import refusal
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.conductor.signals import addressed_map
from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.conductor.values import load
from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.file import is_held, read_journal
from polyphony_runner.runs import control
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder, all_runs
from polyphony_runner.runs.listing import ends
from polyphony_runner.runs.session import load_state, take_up
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.journal import Event
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonValue, RunId

_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Person:
    """Who decides: the account of the machine, and whether the home is that account's own."""

    name: str
    owner: bool

    def may_decide(self, who: tuple[str, ...], contacts: frozenset[str]) -> bool:
        """``who`` names accounts, ``owner`` or entries of ``config.notify``; without an account everybody may."""
        accounts = [name for name in who if name not in contacts]
        return not accounts or self.name in accounts or (self.owner and "owner" in accounts)


def unfinished_runs(home: Home, package: str) -> Iterator[RunFolder]:
    """Every unfinished run of a package (``owner/name``, or the name of a local melody) in this home."""
    for folder in all_runs(home.runs):
        try:
            if folder.record().package == package and not _is_over(folder):
                yield folder
        except PolyphonyError:
            continue  # a damaged folder takes nothing


def send_signal(folder: RunFolder, home: Home, signal: SignalRequest, *, patience: float) -> bool:
    """Whether the signal reached a wait or map of the run, or is kept for one; waits ``patience`` seconds.

    PLY2414 when the run is over, PLY2600 when it addresses a map that cannot take it, PLY2601 when nothing happened.
    """
    state = load_state(folder, home)
    _check_unfinished(state, folder)
    addressed = addressed_map(state, state.root, signal.name)
    if addressed is not None and (why := refusal(addressed, signal.payload)):
        raise RunError("PLY2600", why, hint=f"polyphony show {folder.run} shows what is still open")
    event = _bring(folder, home, signal, patience)
    return event.node is not None or signal.persistent


def decide(
    folder: RunFolder, home: Home, request: ApproveRequest, person: Person, *, patience: float
) -> RunState:
    """Answer what a ``core/approve`` asks, and give the state afterwards; waits ``patience`` seconds.

    PLY2414 when the run is over, PLY2602 when the node does not wait for a decision, PLY2603 when the person is not
    among those who may decide, PLY2601 when nothing happened.
    """
    state = load_state(folder, home)
    _check_unfinished(state, folder)
    node = state.nodes.get(request.node)
    wait = node.wait if node is not None else None
    if node is None or wait is None or wait.kind != "approval" or wait.over:
        what = _why_not_asking(node)
        raise RunError(
            "PLY2602",
            f"{request.node!r} does not wait for a decision: {what}",
            hint=did_you_mean(request.node, _asking(state))
            or f"polyphony show {folder.run} names what waits",
        )
    if not person.may_decide(wait.who, _contacts(state, node)):
        raise RunError(
            "PLY2603",
            f"{person.name} may not decide {request.node!r}, expected one of: {', '.join(wait.who)}",
            hint="ask one of them to run polyphony approve",
        )
    event = _bring(folder, home, request, patience)
    if (event.data.get("by"), event.data.get("approved")) != (request.by, request.approved):
        raise RunError(
            "PLY2602",
            f"{request.node!r} was decided before, by {event.data.get('by')}",
            hint=f"polyphony show {folder.run}",
        )
    return load_state(folder, home)


def _why_not_asking(node: Node | None) -> str:
    if node is None:
        return "there is no such node"
    if node.final:
        return f"it is over: {node.status}"
    return "it has not asked yet" if node.spec.uses == "core/approve" else "it is no core/approve"


def _asking(state: RunState) -> list[str]:
    """Every ``core/approve`` that is not over."""
    return [path for path, node in state.nodes.items() if node.spec.uses == "core/approve" and not node.final]


def _contacts(state: RunState, node: Node) -> frozenset[str]:
    """The ``notify`` entries of the melody that a node belongs to."""
    owner = node.frame.owner
    while owner is not None and owner.spec.kind != "melody":
        owner = owner.frame.owner
    return (state.melody if owner is None else state.melody_of(owner.spec)).contacts


def post_everywhere(home: Home, own: RunId, package: str, signal: Signal, state: RunState) -> int:
    """Bring a signal to every other unfinished run of a package; how many it reached. Never raises for one of them."""
    payload = load(signal.payload, state.reader)
    source: dict[str, JsonValue] = {"run": own, "node": signal.source.get("node")}
    request = SignalRequest(signal.id, signal.name, payload, signal.persistent, source)
    reached = 0
    for folder in unfinished_runs(home, package):
        if folder.run != own:
            try:
                _leave(folder, home, request)
                reached += 1
            except (PolyphonyError, OSError):
                continue  # it is over by now, or damaged
    return reached


def _bring(folder: RunFolder, home: Home, request: SignalRequest | ApproveRequest, patience: float) -> Event:
    """Leave the request and wait for its event."""
    known = sum(1 for _ in read_journal(folder.journal))
    _leave(folder, home, request)
    end = time.monotonic() + patience
    while time.monotonic() < end:
        held = is_held(folder.journal)
        for event in read_journal(folder.journal):
            if event.seq >= known and _is_event_of(event, request):
                return event
        if not held:
            _leave(folder, home, request)
        time.sleep(_PAUSE)
    control.clear(folder)
    raise RunError(
        "PLY2601",
        f"the run {folder.run!r} did not react within {patience:g} s",
        hint="look with polyphony show, and try again",
    )


def _leave(folder: RunFolder, home: Home, request: SignalRequest | ApproveRequest) -> None:
    """Hand the request to the process that executes the run, or write its event in its place."""
    if not is_held(folder.journal):
        try:
            with take_up(folder, home) as session:
                session.append(request)
            return
        except JournalError as error:
            if error.code != "PLY2102":  # somebody took it up meanwhile
                raise
    control.ask(folder, request)


def _is_event_of(event: Event, request: SignalRequest | ApproveRequest) -> bool:
    if isinstance(request, SignalRequest):
        return event.type == "signal.received" and event.data.get("id") == request.id
    return event.type == "approval.given" and event.node == request.node


def _check_unfinished(state: RunState, folder: RunFolder) -> None:
    if state.finished:
        raise RunError(
            "PLY2414", f"the run {folder.run!r} is over: {state.status}", hint=f"polyphony show {folder.run}"
        )


def _is_over(folder: RunFolder) -> bool:
    found = ends(folder.journal)
    return found is None or found[1].type == "run.finished"
