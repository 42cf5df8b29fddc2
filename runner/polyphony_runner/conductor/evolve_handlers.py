"""What the events of handlers mean: a fallback at work, a node that halts the run, an undo begun and over."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_runner.conductor import evolve_nodes, mutexes
from polyphony_runner.conductor.handlers import open_handler, undo_path
from polyphony_runner.conductor.paths import ROOT
from polyphony_runner.conductor.state import Phase, RunState
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event

# Phases in which a node may fail.
_MAY_FAIL: tuple[Phase, ...] = ("waiting", "ready", "running", "awaiting", "handled")


def fallback(state: RunState, event: Event) -> None:
    """``node.waiting`` for a fallback: the node is handled by the next of its list."""
    node = evolve_nodes.node_of(state, event, *_MAY_FAIL)
    name = node.spec.on_error.fallback[node.fallbacks]
    evolve_nodes.leave(state, node, event)
    node.phase = "handled"
    node.error = evolve_nodes.error_in(event)
    node.fallbacks += 1
    node.handler = open_handler(state, node, name, "fallback")
    node.loop = None


def halting(state: RunState, event: Event) -> None:
    """``node.waiting`` for a resume: the run halts once what runs has ended."""
    node = evolve_nodes.node_of(state, event, *_MAY_FAIL)
    evolve_nodes.leave(state, node, event)
    node.phase = "halted"
    node.error = evolve_nodes.error_in(event)
    node.loop = None
    state.halting = state.halting or node.path


def locked_out(state: RunState, event: Event) -> None:
    """``node.waiting`` for a mutex: the node begins when it has the lock."""
    mutexes.queue(state, evolve_nodes.node_of(state, event, "waiting"))


def out_of_budget(state: RunState, event: Event) -> None:
    """``node.waiting`` for a budget: the node is ready again when something was settled."""
    node = evolve_nodes.node_of(state, event, "ready")
    state.ready.pop(node.path, None)
    state.lookups.pop(node.path, None)
    state.in_line[node.path] = None


def _undo_started(state: RunState, event: Event) -> None:
    undoing = state.undoing
    node = undoing.stack.pop() if undoing.stack else None
    if node is None or node.path != event.node or event.data.get("by") != undo_path(node):
        raise JournalError("PLY2105", f"event {event.seq}: {event.node!r} is not what is undone next")
    undoing.begun = True
    state.agenda.pop(ROOT, None)
    undoing.active = open_handler(state, node, str(node.spec.undo), "undo", outputs=node.outputs)


def _undo_ended(state: RunState, event: Event) -> None:
    handler = state.nodes.get(str(event.data.get("by")))
    if handler is None or handler.duty is None or handler.duty.of.path != event.node or not handler.final:
        raise JournalError("PLY2105", f"event {event.seq}: {event.node!r} is not being undone")
    state.agenda.pop(handler.path, None)
    state.undoing.active = None
    if event.type == "undo.done":
        state.undoing.done += 1
    else:
        state.undoing.failed.append(handler.duty.of.path)
    state.agenda[ROOT] = "end"


HANDLERS: dict[str, Callable[[RunState, Event], None]] = {
    "undo.started": _undo_started,
    "undo.done": _undo_ended,
    "undo.failed": _undo_ended,
}
