"""``conclude(state, path, attempt, outcome, moment)``: what the outcome of an attempt means, as an event."""

from __future__ import annotations

import json
from dataclasses import replace

from polyphony_runner.conductor.budgets import overspent
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Node, RunState, error_of
from polyphony_runner.conductor.values import loaded
from polyphony_runner.runtimes.protocol import Failure, Outcome, Success
from polyphony_schemas.graph.port_values import check_outputs
from polyphony_schemas.values import JsonValue


def conclude(state: RunState, path: str, attempt: int, outcome: Outcome, moment: Moment) -> Draft | None:
    """The event for an outcome; None when nobody waits for it any more."""
    node = state.nodes.get(path)
    if node is None or node.phase != "running" or node.attempt != attempt:
        return None
    if node.overspent and node.cancelling is None:
        return fail(state, node, overspent(node), moment, retryable=False)
    if isinstance(outcome, Success):
        return _succeeded(state, node, outcome, moment)
    if node.cancelling is not None:
        return Draft("node.cancelled", path, attempt, {"reason": node.cancelling})
    return _failed(state, node, outcome, moment)


def _succeeded(state: RunState, node: Node, success: Success, moment: Moment) -> Draft:
    task = loaded(node.directive.get("task", {}), state.reader)
    outputs, wrong = check_outputs(node.spec.outputs, success.outputs, task)
    if wrong is None and not _is_json(outputs):
        wrong = "the outputs hold a number that JSON cannot say (NaN or infinite)"
    if wrong is not None:
        draft = _failed(state, node, Failure("validation", wrong), moment)
        if draft.data.get("final") == "compensate" and _is_json(success.outputs):
            # What cleans up may need what the node says it did, although nothing else may use it.
            return replace(draft, data={**draft.data, "outputs": dict(success.outputs)})
        return draft
    data: dict[str, JsonValue] = {"outputs": dict(outputs)}
    if success.artifacts:
        data["artifacts"] = [dict(artifact) for artifact in success.artifacts]
    return Draft("node.succeeded", node.path, node.attempt, data)


def _failed(state: RunState, node: Node, failure: Failure, moment: Moment) -> Draft:
    error = error_of(failure.kind, failure.message, failure.trace)
    if failure.details:
        error["details"] = dict(failure.details)
    return fail(state, node, error, moment, retryable=failure.retryable)


def _is_json(value: object) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
