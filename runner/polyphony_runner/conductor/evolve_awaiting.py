"""What the events of waiting for the world outside mean: a wait begins, a person decides."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_runner.conductor.awaiting import deliver
from polyphony_runner.conductor.evolve_nodes import node_of
from polyphony_runner.conductor.mail import Wait, WaitKind
from polyphony_runner.conductor.state import RunState
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event, parse_time


def _begins(kind: WaitKind) -> Callable[[RunState, Event], None]:
    def begins(state: RunState, event: Event) -> None:
        node, data = node_of(state, event, "running"), event.data
        who, until = data.get("who"), data.get("until")
        node.wait = Wait(
            kind,
            None if until is None else parse_time(str(until)),
            str(data.get("name", "")),
            tuple(str(name) for name in who) if isinstance(who, (list, tuple)) else (),
            str(data.get("on_timeout", "reject")),
        )
        state.agenda.pop(node.path, None)
        if node.started_ms is not None:
            node.busy_ms += max(0, event.at_ms - node.started_ms)
        node.phase = "awaiting"
        state.awaiting[node.path] = None
        if node.wait.due_ms is not None:
            state.set_timer(node.wait.due_ms, "wait", node.path)
        if kind == "signal":
            kept = state.mail.take(node.wait.name)
            if kept is None:
                state.mail.wait(node.wait.name, node.path)
            else:
                deliver(state, node, kept)

    return begins


def _given(state: RunState, event: Event) -> None:
    node = node_of(state, event, "awaiting")
    if node.wait is None or node.wait.kind != "approval" or node.wait.over:
        raise JournalError("PLY2105", f"event {event.seq}: {node.path} does not wait for a decision")
    node.wait.answer = event.data
    state.agenda[node.path] = "deliver"


# By ``data.for`` of ``node.waiting``.
WAITS: dict[str, Callable[[RunState, Event], None]] = {
    "delay": _begins("delay"),
    "at": _begins("at"),
    "signal": _begins("signal"),
    "approval": _begins("approval"),
}
HANDLERS: dict[str, Callable[[RunState, Event], None]] = {"approval.given": _given}
