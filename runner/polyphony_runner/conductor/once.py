"""Scopes that run once (docs/melody.md): blocks, and melodies that are used as nodes. They open, and they end.

Their one frame has the path of the node itself: what is inside ``outer`` is ``outer/inner``.
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.conductor.directives import DirectiveError, check_inputs, given
from polyphony_runner.conductor.environment import fill_all, fill_outputs
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.instances import has_room, too_deep, too_many
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Ending, Frame, Node, RunState, error_of
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate_template
from polyphony_schemas.values import JsonValue


def opened(state: RunState, node: Node, moment: Moment) -> Draft:
    """The event that opens a block, with its inputs when it has its own; or its failure."""
    try:
        data: dict[str, JsonValue] = {}
        if node.spec.scope_inputs:
            data["inputs"] = check_inputs(node.spec.inputs, given(state, node), node.spec.any_inputs)
        if (deep := too_deep(node)) is not None:
            return fail(state, node, deep, moment, retryable=False)
        if node.spec.kind == "melody":
            data |= _bounds(state, node, data["inputs"])
        if not has_room(state, node):
            return fail(state, node, too_many(node), moment, retryable=False)
    except ExpressionError as error:
        return fail(state, node, error_of("expression", error.message), moment)
    except DirectiveError as error:
        return fail(state, node, error_of("validation", error.message), moment, retryable=False)
    return Draft("scope.opened", node.path, node.attempt, data)


def _bounds(state: RunState, node: Node, inputs: JsonValue) -> dict[str, JsonValue]:
    """What cuts the permissions of a sub-melody's nodes: what its node names, and its own ceiling."""
    ceiling = state.melody_of(node.spec).ceiling
    return {
        "permissions": fill_all(state, node.frame, node.spec.permissions),
        "ceiling": {key: evaluate_template(items, {"inputs": inputs}) for key, items in ceiling.items()},
    }


def ended(state: RunState, node: Node, frame: Frame, moment: Moment) -> Draft:
    """Everything inside is over: what becomes of the node."""
    loop = node.scope
    if node.cancelling is not None:
        return _cancelled(node, node.cancelling)
    if loop.failure is not None:  # its budget, which also cancelled what was left inside
        return fail(state, node, loop.failure, moment)
    if loop.ending is not None:
        return _stopped(state, node, frame, loop.ending, moment)
    if frame.cancelling is not None:
        return _cancelled(node, frame.cancelling)
    if frame.failure is not None:
        return fail(state, node, frame.failure, moment)
    return _succeeded(state, node, frame, moment)


def _stopped(state: RunState, node: Node, frame: Frame, ending: Ending, moment: Moment) -> Draft:
    """``core/stop`` ends the sub-melody that it stands in, with its status."""
    match ending.status:
        case "succeeded":
            return _succeeded(state, node, frame, moment)
        case "failed":
            error = error_of("exit", f"{node.path}: {ending.message or 'stopped'}")
            return fail(state, node, error, moment)
        case _:
            return _cancelled(node, "stopped")


def _succeeded(state: RunState, node: Node, frame: Frame, moment: Moment) -> Draft:
    templates = state.melody_of(node.spec).outputs if node.spec.kind == "melody" else node.spec.scope_outputs
    try:
        outputs: Mapping[str, JsonValue] = fill_outputs(state, frame, templates)
    except ExpressionError as error:
        return fail(state, node, error_of("expression", f"outputs: {error.message}"), moment)
    return Draft("node.succeeded", node.path, node.attempt, {"outputs": dict(outputs)})


def _cancelled(node: Node, reason: str) -> Draft:
    return Draft("node.cancelled", node.path, node.attempt, {"reason": reason})
