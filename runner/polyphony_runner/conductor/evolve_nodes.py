"""What the events of nodes mean: readiness, attempts, and the one final status."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polyphony_runner.conductor import budgets, mutexes
from polyphony_runner.conductor.awaiting import withdraw
from polyphony_runner.conductor.cancelling import cancel_frame, leave_round
from polyphony_runner.conductor.handlers import open_handler
from polyphony_runner.conductor.joins import join_met, settle_connections
from polyphony_runner.conductor.loops import pending
from polyphony_runner.conductor.state import Ending, Frame, LoopState, Node, Phase, RunState, run_status
from polyphony_runner.conductor.values import Value, values_in
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject

DIRECTIVE = ("inputs", "parameters", "task", "permissions")
# Phases of a node that a person may give outputs.
_UNFINISHED: tuple[Phase, ...] = (
    "waiting",
    "ready",
    "running",
    "retrying",
    "parked",
    "handled",
    "awaiting",
    "halted",
)


def node_of(state: RunState, event: Event, *phases: Phase) -> Node:
    """The event's node; PLY2105 when there is none or it is in no phase that this event may follow."""
    node = state.nodes.get(event.node or "")
    if node is None or node.phase not in phases:
        found = "no such node" if node is None else node.phase
        raise JournalError(
            "PLY2105", f"event {event.seq}: {event.type} for {event.node!r}, which is: {found}"
        )
    return node


def _ready(state: RunState, event: Event) -> None:
    node = node_of(state, event, "waiting", "retrying")
    state.agenda.pop(node.path, None)
    mutexes.take(state, node)
    if event.data:
        node.directive = {name: values_in(event.data, name) for name in DIRECTIVE}
    make_ready(state, node)


def make_ready(state: RunState, node: Node) -> None:
    """Queue an extension node for a place; a pure one for its lookup first, where results are cached."""
    node.phase = "ready"
    (state.lookups if state.caching and node.spec.pure else state.ready)[node.path] = None


def _started(state: RunState, event: Event) -> None:
    node = node_of(state, event, "waiting", "ready", "retrying")
    if event.attempt != node.attempt + 1:
        raise JournalError(
            "PLY2105", f"event {event.seq}: attempt {event.attempt} of {node.path} after {node.attempt}"
        )
    state.agenda.pop(node.path, None)
    state.ready.pop(node.path, None)
    state.lookups.pop(node.path, None)
    node.phase = "running"
    node.attempt = state.attempts[node.path] = event.attempt
    node.started_ms = event.at_ms
    if node.first_started_ms is None:
        node.first_started_ms = event.at_ms
        node.paused_before_ms = state.paused_ms
    mutexes.take(state, node)
    if node.is_scope:
        state.agenda[node.path] = "open"
    elif node.spec.kind == "core":
        state.agenda[node.path] = "perform"
    else:
        state.running[node.path] = node.attempt
        budgets.hold(state, node, event)


def _succeeded(state: RunState, event: Event) -> None:
    cached = event.data.get("cached") is True
    phases: tuple[Phase, ...] = ("ready",) if cached else ("running", "handled", "awaiting")
    given = "edited" in event.data or event.data.get("pinned") is True
    node = node_of(state, event, *(_UNFINISHED if given else phases))
    node.cached = cached
    by = event.data.get("by")
    node.by = None if by is None else str(by)
    stop = event.data.get("stop")
    stopped = _stop(state, node, stop) if isinstance(stop, Mapping) else None
    end(state, node, "succeeded", event, values_in(event.data, "outputs"))
    if event.attempt is not None and event.data.get("pinned") is not True:  # else it was never executed
        note_for_undo(state, node)
    if stopped is not None:
        cancel_frame(state, stopped, "stopped")


def _stop(state: RunState, node: Node, stop: JsonObject) -> Frame | None:
    """The run, or the sub-melody that the node stands in, ends so; what is left in this frame is cancelled."""
    ending = Ending(run_status(stop["status"]), "stopped", str(stop["message"]))
    frame = node.frame
    while frame.owner is not None and frame.owner.spec.kind != "melody":
        frame = frame.owner.frame
    if frame.owner is None:
        state.ending = state.ending or ending
        return state.root
    loop = frame.owner.scope
    loop.ending = loop.ending or ending
    return frame


def _failed(state: RunState, event: Event) -> None:
    node = node_of(state, event, "waiting", "ready", "running", "retrying", "handled", "awaiting")
    node.error = error_in(event)
    node.tolerated = event.data.get("final") == "skip"
    if event.data.get("final") == "compensate":
        _compensate(state, node, event)
        return
    _fail_round(node)
    end(state, node, "failed", event, values_in(event.data, "outputs"))


def _fail_round(node: Node) -> None:
    """The round of a node that failed untolerated fails with the first such error."""
    if node.error is not None and not node.tolerated and node.frame.failure is None:
        node.frame.failure = {**node.error, "message": f"{node.path}: {node.error['message']}"}


def _compensate(state: RunState, node: Node, event: Event) -> None:
    """The node has failed; its round waits for what cleans up after it."""
    outputs, name = values_in(event.data, "outputs"), str(node.spec.on_error.compensate)
    handler = open_handler(state, node, name, "compensate", outputs=outputs, error=node.error)
    _fail_round(node)
    leave(state, node, event)
    node.phase, node.handler, node.directive = "failed", handler, {}
    settle_connections(state, node)


def _retrying(state: RunState, event: Event) -> None:
    node = node_of(state, event, "running")
    leave(state, node, event)
    node.phase = "retrying"
    node.retries += 1
    node.error = error_in(event)
    node.loop = None
    state.set_timer(event.at_ms + int(str(event.data["delay_ms"])), "retry", node.path)


def _skipped(state: RunState, event: Event) -> None:
    end(state, node_of(state, event, "waiting"), "skipped", event, {})


def _dead(state: RunState, event: Event) -> None:
    end(state, node_of(state, event, "waiting"), "dead", event, {})


def _cancelled(state: RunState, event: Event) -> None:
    node = node_of(
        state, event, "waiting", "ready", "running", "retrying", "parked", "handled", "halted", "awaiting"
    )
    if event.data.get("reason") == "interrupted":
        leave(state, node, event)
        node.phase = "parked"
        return
    end(state, node, "cancelled", event, {})


def _usage(state: RunState, event: Event) -> None:
    budgets.count(state, state.nodes.get(event.node or ""), event)


def end(state: RunState, node: Node, phase: Phase, event: Event, outputs: Mapping[str, Value]) -> None:
    """Give a node its final status and tell its connections and its round."""
    leave(state, node, event)
    node.phase = phase
    node.outputs = outputs
    if node.spec.undo is None:
        node.directive = {}
    if phase == "succeeded":
        node.error = None
    settle_connections(state, node)
    if phase == "succeeded" and (loop := node.loop) is not None and _runs_on(node, loop):
        loop.holding = True
        if pending(node) is not None:
            state.agenda[node.path] = "loop"
        return
    leave_round(state, node)


def note_for_undo(state: RunState, node: Node) -> None:
    """Remember a completed instance that can be taken back. What a fallback did is the fallback's to undo."""
    guards = node.duty is None or node.duty.kind == "fallback"
    if node.spec.undo is not None and node.by is None and guards:
        state.undoing.stack.append(node)


def _runs_on(node: Node, loop: LoopState) -> bool:
    """Whether iterations are left that ``rest: ignore`` lets run unused."""
    ignored = loop.closed == "complete" and node.header.rest == "ignore"
    return ignored and (loop.running > 0 or loop.next < loop.total)


def leave(state: RunState, node: Node, event: Event) -> None:
    """Take a node off every list: nothing is asked of it or for it any more."""
    for table in (
        state.agenda,
        state.ready,
        state.lookups,
        state.running,
        state.interrupts,
        state.rejections,
    ):
        table.pop(node.path, None)
    state.in_line.pop(node.path, None)
    state.mail.outbox.pop(node.path, None)
    state.awaiting.pop(node.path, None)
    withdraw(state, node, consumed=event.type == "node.succeeded")
    if node.once:
        state.frames.pop(node.path, None)
    if node.phase == "running" and node.started_ms is not None:
        node.busy_ms += max(0, event.at_ms - node.started_ms)
    if node.reserve is not None:
        budgets.settle(state, node, event)
    elif state.in_line:
        budgets.wake(state)


def lost(state: RunState, node: Node) -> None:
    """An attempt that nobody will report about: its process ended with the one that ran the Conductor.

    It is ready again, with the next attempt's number; the retry policy is not charged for it.
    """
    state.running.pop(node.path, None)
    state.interrupts.pop(node.path, None)
    budgets.settle(state, node)
    if node.cancelling is None:
        make_ready(state, node)
    else:
        state.agenda[node.path] = "cancel"


def unpark(state: RunState, node: Node) -> None:
    """A node that an interrupt cancelled is ready again, or cancelled for good when its scope was meanwhile."""
    if node.cancelling is None:
        make_ready(state, node)
    else:
        state.agenda[node.path] = "cancel"


def again(state: RunState, node: Node) -> None:
    """A node that halted the run begins anew when a person lets it: with all its retries and fallbacks.

    Its inputs are evaluated again, so that a value which was edited meanwhile counts. Attempts go on. One that halted
    the run for the ``when`` of a connection which cannot be evaluated fails for it again, unless its join is met by now.
    """
    node.phase, node.directive, node.handler = "waiting", {}, None
    node.retries = node.fallbacks = 0
    node.first_started_ms = None
    if node.cancelling is not None:
        state.agenda[node.path] = "cancel"
    elif join_met(node):
        state.agenda[node.path] = "begin"
    else:
        state.rejections[node.path] = str((node.error or {}).get("message", ""))
        state.agenda[node.path] = "reject"


def error_in(event: Event) -> JsonObject:
    """The error that an event tells."""
    error = event.data.get("error")
    return error if isinstance(error, Mapping) else {"kind": "internal", "message": "", "trace": None}


HANDLERS: dict[str, Callable[[RunState, Event], None]] = {
    "node.ready": _ready,
    "node.started": _started,
    "node.succeeded": _succeeded,
    "node.failed": _failed,
    "node.retrying": _retrying,
    "node.skipped": _skipped,
    "node.dead": _dead,
    "node.cancelled": _cancelled,
    "node.usage": _usage,
}
