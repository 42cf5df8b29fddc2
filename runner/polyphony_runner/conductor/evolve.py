"""``evolve(state, event)``: what one event means. No decision is taken here, nothing is read but the state.

The cost of an event depends on the node's own connections, never on the size of the run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from polyphony_runner.conductor import (
    evolve_awaiting,
    evolve_handlers,
    evolve_nodes,
    evolve_scopes,
    evolve_waiting,
    signals,
)
from polyphony_runner.conductor.cancelling import cancel_all, cancel_frame, cancel_node
from polyphony_runner.conductor.frames import open_frame
from polyphony_runner.conductor.mutexes import group_key
from polyphony_runner.conductor.paths import ROOT
from polyphony_runner.conductor.state import Ending, RunState, RunStatus, run_status
from polyphony_runner.conductor.values import values_in
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event


def evolve(state: RunState, event: Event) -> RunState:
    """The state after the event; the same object, advanced. PLY2105 for an event that cannot follow."""
    if event.seq != state.next_seq:
        raise JournalError("PLY2105", f"event {event.seq} cannot follow {state.next_seq - 1}")
    if state.finished:
        raise JournalError("PLY2105", f"event {event.seq} ({event.type}) after the run finished")
    handler = _HANDLERS.get(event.type)
    previous_ms = state.now_ms
    state.next_seq += 1
    state.now_ms = max(previous_ms, event.at_ms)
    if event.type == "run.resumed":
        _resumed(state, event, gap_ms=state.now_ms - previous_ms)
    elif handler is not None:
        handler(state, event)
    while state.timers and not _matters(state, *state.timers[0]):
        heapq.heappop(state.timers)
    if state.status in ("running", "waiting"):
        state.status = "waiting" if state.idle else "running"
    return state


def _matters(state: RunState, due_ms: int, kind: str, path: str) -> bool:
    """Whether a timer still asks for something."""
    if path == ROOT:
        return state.ending is None and not state.undoing.begun and not state.finished
    node = state.nodes.get(path)
    if node is None:
        return False
    if kind == "retry":
        return node.phase == "retrying" and node.cancelling is None
    if kind == "wait":
        return node.wait is not None and node.wait.due_ms == due_ms and not node.wait.over
    loop = node.loop  # of this attempt: one that failed leaves its timer behind
    if node.phase != "running" or loop is None or loop.closed is not None:
        return False
    return kind != "wall" or loop.due_ms == due_ms


def _created(state: RunState, event: Event) -> None:
    state.created = event.data
    state.caching = event.data.get("cache") is True
    pins = event.data.get("pins")
    state.pins = pins if isinstance(pins, Mapping) else {}
    state.inputs = values_in(event.data, "inputs")
    if (group := event.data.get("group")) is not None:
        state.shared[group_key(state, str(group))] = ROOT


def _started(state: RunState, event: Event) -> None:
    state.breakpoints.resumed(event.data)
    state.started_ms = event.at_ms
    if state.melody.budget_wall_ms is not None:
        state.set_timer(event.at_ms + state.melody.budget_wall_ms, "wall", ROOT)
    state.root = open_frame(
        state, ROOT, state.melody.graph, owner=None, index=0, inputs=state.inputs, variables={}
    )


def _halted(state: RunState, event: Event) -> None:
    state.status, state.halt = "halted", event.data
    state.breakpoints.halted(event.data)


def _resumed(state: RunState, event: Event, *, gap_ms: int) -> None:
    """Go on: what was in flight is ready again, limits of time do not count the pause.

    ``lost`` names attempts whose worker is gone while the run itself went on: those alone are ready again.
    """
    lost = event.data.get("lost")
    if isinstance(lost, Sequence) and not isinstance(lost, str):
        for path in lost:
            evolve_nodes.lost(state, evolve_nodes.node_of(state, replace(event, node=str(path)), "running"))
        return
    state.status = "running"
    state.breakpoints.resumed(event.data)
    state.paused_ms += gap_ms
    state.timers = [(due + (gap_ms if kind == "wall" else 0), kind, path) for due, kind, path in state.timers]
    heapq.heapify(state.timers)
    for path in tuple(state.running):
        evolve_nodes.lost(state, state.nodes[path])
    state.halting, state.halt = None, {}
    for node in state.nodes.values():
        if node.loop is not None and node.loop.due_ms is not None:
            node.loop.due_ms += gap_ms
        if node.phase == "parked":
            evolve_nodes.unpark(state, node)
        elif node.phase == "halted":
            evolve_nodes.again(state, node)


def _cancelling(state: RunState, event: Event) -> None:
    reason = str(event.data.get("reason", "requested"))
    if event.data.get("undo") is False:
        state.undoing.refused = True
    if event.node is None and state.undoing.begun:
        if state.undoing.refused and state.undoing.active is not None:
            cancel_node(state, state.undoing.active, reason)
        return
    if event.node is None:
        state.halting = None
        status: RunStatus = "failed" if reason == "budget" else "cancelled"
        state.ending = state.ending or Ending(status, reason, str(event.data.get("message", "")))
        cancel_all(state, reason)
    elif event.node in state.nodes:
        cancel_node(state, state.nodes[event.node], reason)
    elif event.node in state.frames:
        cancel_frame(state, state.frames[event.node], reason)


def _finished(state: RunState, event: Event) -> None:
    state.status = run_status(event.data["status"])
    state.outputs = values_in(event.data, "outputs")
    error = event.data.get("error")
    state.error = error if isinstance(error, Mapping) else None
    state.ended_ms = event.at_ms
    state.agenda.clear()
    state.shared.clear()


_HANDLERS: dict[str, Callable[[RunState, Event], None]] = {
    "run.created": _created,
    "run.started": _started,
    "run.halted": _halted,
    "run.cancelling": _cancelling,
    "run.finished": _finished,
    **evolve_nodes.HANDLERS,
    **evolve_scopes.HANDLERS,
    **evolve_handlers.HANDLERS,
    **evolve_waiting.HANDLERS,
    **evolve_awaiting.HANDLERS,
    **signals.HANDLERS,
}
