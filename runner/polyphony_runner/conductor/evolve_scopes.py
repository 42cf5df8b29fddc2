"""What the events of scopes mean: opened, a round begun, a round or the whole closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from polyphony_runner.conductor.cancelling import cancel_frames, release
from polyphony_runner.conductor.evolve_nodes import node_of
from polyphony_runner.conductor.frames import open_frame
from polyphony_runner.conductor.loops import attend, completed, pending
from polyphony_runner.conductor.maps import item_of
from polyphony_runner.conductor.state import LoopState, Node, RunState, error_of
from polyphony_runner.conductor.values import Value, load, value_in, values_in
from polyphony_runner.journal.errors import JournalError
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.journal import Event


def _opened(state: RunState, event: Event) -> None:
    node = node_of(state, event, "running")
    state.agenda.pop(node.path, None)
    inputs = values_in(event.data, "inputs") if node.spec.scope_inputs else node.frame.inputs
    loop = LoopState(
        inputs,
        parallel=int(str(event.data.get("parallel", node.header.parallel))),
        max=int(str(event.data.get("max", node.header.max))),
    )
    if node.spec.kind == "for_each":
        items = load(value_in(event.data, "items"), state.reader)
        loop.total = (len(items) if isinstance(items, Sequence) else 0) + len(node.added)
        loop.complete = node.completed
        loop.items = items
        loop.results = [None] * loop.total
    elif not node.once:
        loop.state = values_in(event.data, "state")
    node.loop = loop
    if node.header.budget_wall_ms is not None:
        loop.due_ms = event.at_ms + node.header.budget_wall_ms
        state.set_timer(loop.due_ms, "wall", node.path)
    if node.once:
        _begin_once(state, node, loop, event)
    else:
        attend(state, node)


def _begin_once(state: RunState, node: Node, loop: LoopState, event: Event) -> None:
    loop.next, loop.running, loop.total = 1, 1, 1
    graph = node.spec.body
    if node.spec.kind == "melody":
        graph = state.melody_of(node.spec).graph
        loop.permissions = values_in(event.data, "permissions")
        loop.ceiling = values_in(event.data, "ceiling")
    if graph is not None:
        loop.frames[0] = open_frame(
            state, node.path, graph, owner=node, index=0, inputs=loop.inputs, variables={}
        )


def _round(state: RunState, event: Event) -> None:
    path = event.node or ""
    name, _, index_text = path.removesuffix("]").rpartition("[")
    node = state.nodes.get(name)
    loop = node.loop if node is not None else None
    if node is None or loop is None or node.spec.body is None or index_text != str(loop.next):
        raise JournalError("PLY2105", f"event {event.seq}: a round {path!r} that is not next")
    index = loop.next
    loop.next += 1
    loop.running += 1
    loop.last = None
    variables: dict[str, Value] = {}
    if node.spec.kind == "for_each":
        variables = {node.header.item_name: item_of(state, node, loop, index), "index": index}
    else:
        variables = {"state": _state_value(state, loop), "round": index}
    state.agenda.pop(node.path, None)
    loop.frames[index] = open_frame(
        state, path, node.spec.body, owner=node, index=index, inputs=loop.inputs, variables=variables
    )
    attend(state, node)


def _state_value(state: RunState, loop: LoopState) -> Value:
    return {name: load(value, state.reader) for name, value in loop.state.items()}


def _closed(state: RunState, event: Event) -> None:
    if (event.node or "").endswith("]"):
        _round_closed(state, event)
        return
    node = node_of(state, event, "running")
    if node.loop is None:
        raise JournalError("PLY2105", f"event {event.seq}: {node.path} was never opened")
    reason = str(event.data["reason"])
    node.loop.closed = reason
    error = event.data.get("error")
    if isinstance(error, Mapping):
        node.loop.failure = error
    if not (reason == "complete" and node.header.rest == "ignore"):
        cancel_frames(state, node, reason)
    if not node.once:
        attend(state, node)


def _round_closed(state: RunState, event: Event) -> None:
    frame = state.frames.pop(event.node or "", None)
    node = frame.owner if frame is not None else None
    if frame is None or node is None or node.loop is None:
        raise JournalError("PLY2105", f"event {event.seq}: the run itself does not close")
    state.agenda.pop(frame.path, None)
    loop = node.loop
    loop.frames.pop(frame.index)
    loop.running -= 1
    _record(state, node, loop, event, frame.index)
    if node.spec.kind != "for_each":
        loop.last = frame
    if node.final:
        _drained(state, node)
    else:
        attend(state, node)


def _record(state: RunState, node: Node, loop: LoopState, event: Event, index: int) -> None:
    """Take over what a round brought."""
    status, error = event.data["status"], event.data.get("error")
    each = node.spec.kind == "for_each"
    if status == "failed":
        loop.failed += 1
        if (not each or loop.failed > node.header.tolerate) and isinstance(error, Mapping):
            loop.failure = loop.failure or error
    elif status == "succeeded":
        loop.done += 1
        if each:
            loop.results[index] = values_in(event.data, "outputs")
        elif event.data.get("until") is True:
            loop.complete = True
        elif node.header.next:
            loop.state = values_in(event.data, "next")
    elif not each and loop.failure is None:
        # Somebody cancelled this very round: a loop cannot go on without it.
        loop.failure = error_of("cancelled", f"{event.node} was cancelled")
    if each and loop.closed is None:
        try:
            loop.complete = loop.complete or completed(state, node, loop)
        except ExpressionError as wrong:
            loop.failure = loop.failure or error_of("expression", f"complete_when: {wrong.message}")


def _drained(state: RunState, node: Node) -> None:
    """Rounds of a scope that already gave its outputs: its own round may end when the last is over."""
    if pending(node) is not None:
        state.agenda[node.path] = "loop"
    else:
        release(state, node)


HANDLERS: dict[str, Callable[[RunState, Event], None]] = {
    "scope.opened": _opened,
    "scope.round": _round,
    "scope.closed": _closed,
}
