"""Handlers (docs/melody.md, When something fails): nodes that stand in for, clean up after, or take back another one.

An instance of a handler lives in the round of the node it guards, under its own path, and is never started by
routing. It sees that round through a frame of its own, which adds what it may know of the guarded node:
``failed.inputs failed.outputs error`` (compensate), ``undone.inputs undone.outputs`` (undo).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from polyphony_runner.conductor.directives import DirectiveError, given
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.paths import place
from polyphony_runner.conductor.state import Duty, Error, HandlerKind, Node, RunState, error_of
from polyphony_runner.conductor.values import Value, data_of, loaded
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.graph.model import GraphNode
from polyphony_schemas.values import JsonValue


def open_handler(
    state: RunState,
    guarded: Node,
    name: str,
    kind: HandlerKind,
    *,
    outputs: Mapping[str, Value] | None = None,
    error: Error | None = None,
) -> Node:
    """A new instance of the handler ``name`` for ``guarded``, which may begin at once."""
    variables = dict(guarded.frame.variables)
    if kind != "fallback":
        seen: dict[str, JsonValue] = {
            "inputs": loaded(resolved_inputs(state, guarded), state.reader),
            "outputs": loaded(outputs or {}, state.reader),
        }
        variables |= {"undone": seen} if kind == "undo" else {"failed": seen, "error": dict(error or {})}
    frame = replace(guarded.frame, variables=variables)
    spec = frame.plan.graph.nodes[name]
    inherited = _inherited(state, guarded, spec) if kind == "fallback" else {}
    node = Node(place(frame, name), spec, frame)
    node.duty = Duty(kind, guarded, guarded.attempt, inherited)
    node.attempt = state.attempts.get(node.path, 0)
    state.nodes[node.path] = node
    state.agenda[node.path] = "begin"
    return node


def resolved_inputs(state: RunState, node: Node) -> Mapping[str, Value]:
    """What a node was given, by port; for core nodes evaluated again, which gives the same.

    Nothing where the node failed because it could not be evaluated.
    """
    if node.directive:
        return node.directive.get("inputs", {})
    if node.loop is not None:
        return node.loop.inputs if node.spec.scope_inputs else {}
    try:
        return given(state, node)
    except (ExpressionError, DirectiveError):
        return {}


def _inherited(state: RunState, guarded: Node, handler: GraphNode) -> dict[str, Value]:
    """The inputs that a fallback takes over: those it has a port for. Its own ``with`` goes before them."""
    inputs = resolved_inputs(state, guarded)
    return {name: value for name, value in inputs.items() if name in handler.inputs or handler.any_inputs}


def adopt(state: RunState, node: Node, moment: Moment) -> Draft:
    """A fallback has ended: its outputs are the node's, else the next one's turn has come, else the final act."""
    handler = node.handler
    if handler is None:
        raise LookupError(f"{node.path} has no fallback at work")
    if handler.phase == "succeeded" or gives_outputs(handler):
        data = data_of("outputs", handler.outputs)
        return Draft("node.succeeded", node.path, node.attempt or None, {**data, "by": handler.path})
    error = node.error or error_of("internal", "the node failed without an error")
    return fail(state, node, error, moment, retryable=False)


def gives_outputs(node: Node) -> bool:
    """Whether a failed node was skipped over with outputs in place of its own."""
    return node.phase == "failed" and node.tolerated and node.spec.on_error.skip_outputs is not None


def halted(state: RunState, path: str) -> Draft:
    """Nothing runs any more: the run halts for the node that asked for it."""
    node = state.nodes[path]
    data: dict[str, JsonValue] = {"reason": "error", "node": path, "error": dict(node.error or {})}
    return Draft("run.halted", None, None, {**data, **(node.spec.on_error.halt or {})})


def next_undo(state: RunState) -> Draft | None:
    """The start of the next undo of a run that did not succeed; None when nothing is left to take back."""
    undoing = state.undoing
    if undoing.refused or not undoing.stack:
        return None
    node = undoing.stack[-1]
    return Draft("undo.started", node.path, node.attempt or None, {"by": undo_path(node)})


def undo_path(node: Node) -> str:
    """The path of the handler that takes this instance back."""
    return place(node.frame, str(node.spec.undo))


def undone(state: RunState, handler: Node, moment: Moment) -> Draft:
    """An undo has ended."""
    del state, moment
    duty = handler.duty
    if duty is None:
        raise LookupError(f"{handler.path} undoes nothing")
    path, attempt = duty.of.path, duty.attempt or None
    data: dict[str, JsonValue] = {"by": handler.path}
    if handler.phase in ("succeeded", "skipped") or (handler.phase == "failed" and handler.tolerated):
        return Draft("undo.done", path, attempt, data)
    error = handler.error or error_of("cancelled", f"{handler.path} was {handler.phase}")
    return Draft("undo.failed", path, attempt, {**data, "error": dict(error)})
