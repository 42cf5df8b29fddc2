"""Scopes that repeat (docs/melody.md): what a ``for_each``, ``while`` or ``until`` does next.

``pending`` is asked by ``evolve`` (is there anything to do?) and by ``decide`` (what?), so both always agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from polyphony_runner.conductor.directives import DirectiveError, check_inputs, given
from polyphony_runner.conductor.environment import (
    Environment,
    fill,
    fill_all,
    fill_outputs,
    frame_environment,
    truth,
    without_nodes,
)
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.instances import has_room, too_deep, too_many
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.paths import iteration
from polyphony_runner.conductor.state import Frame, LoopState, Node, RunState, error_of
from polyphony_runner.conductor.values import loaded
from polyphony_schemas.errors import ExpressionError, PolyphonyError
from polyphony_schemas.expressions import evaluate
from polyphony_schemas.values import JsonValue

Step = Literal["close", "round", "advance", "finish"]
# The most rounds or items a computed bound may allow.
_MOST_ROUNDS = 1_000_000
# Reasons for which a closed scope gives outputs.
_GIVES_OUTPUTS = ("done", "complete", "accepted")


def pending(node: Node) -> Step | None:
    """What the scope can do now, None while it waits for its rounds."""
    loop = node.loop
    if loop is None or node.once:
        return None
    if loop.closed is None:
        return _open_step(node, loop)
    if loop.closed == "complete" and node.header.rest == "ignore" and node.cancelling is None:
        if not node.final:
            return "finish"
        return "round" if _may_start(loop) else None
    return "finish" if loop.running == 0 and not node.final else None


def attend(state: RunState, node: Node) -> None:
    """Put a scope on the agenda when there is something to do, among what waits when only a signal can go on."""
    state.awaiting.pop(node.path, None)
    if pending(node) is not None:
        state.agenda[node.path] = "loop"
        return
    state.agenda.pop(node.path, None)
    loop = node.loop
    if node.spec.kind == "for_each" and loop is not None and loop.closed is None and loop.running == 0:
        state.awaiting[node.path] = None


def _open_step(node: Node, loop: LoopState) -> Step | None:
    if node.cancelling is not None:
        return "close"
    if node.spec.kind != "for_each":
        return "advance" if loop.running == 0 else None
    if loop.failure is not None or loop.complete:
        return "close"
    if _may_start(loop):
        return "round"
    over = loop.running == 0 and loop.next >= loop.total and not node.header.open
    return "close" if over else None


def _may_start(loop: LoopState) -> bool:
    return loop.next < loop.total and loop.running < loop.parallel


def opened(state: RunState, node: Node, moment: Moment) -> Draft:
    """The event that opens a scope: its inputs, items or first state; or its failure."""
    header = node.header
    try:
        inputs: Mapping[str, JsonValue] | None = None
        if node.spec.scope_inputs:
            inputs = check_inputs(node.spec.inputs, given(state, node), node.spec.any_inputs)
        if (deep := too_deep(node)) is not None:
            return fail(state, node, deep, moment, retryable=False)
        extra = None if inputs is None else {"inputs": inputs}
        data: dict[str, JsonValue] = {} if inputs is None else {"inputs": inputs}
        for name, bound in (("max", header.max_from), ("parallel", header.parallel_from)):
            if bound is not None:
                data[name] = _checked_bound(name, fill(state, node.frame, bound, extra))
        if node.spec.kind == "for_each":
            items = fill(state, node.frame, header.items, extra) if header.items else []
            checked = _checked_items(items, int(str(data.get("max", header.max))), len(node.added))
            if not has_room(state, node, len(checked)):
                return fail(state, node, too_many(node), moment, retryable=False)
            data |= {"items": checked}
        else:
            data["state"] = fill_all(state, node.frame, header.state, extra)
    except ExpressionError as error:
        return fail(state, node, error_of("expression", error.message), moment)
    except DirectiveError as error:
        return fail(state, node, error_of("validation", error.message), moment, retryable=False)
    return Draft("scope.opened", node.path, node.attempt, data)


def _checked_bound(name: str, value: JsonValue) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST_ROUNDS:
        raise DirectiveError(
            "PLY2002", f"{name} gave {value!r}, expected a whole number from 1 to {_MOST_ROUNDS}"
        )
    return value


def _checked_items(items: JsonValue, most: int, added: int) -> Sequence[JsonValue]:
    if not isinstance(items, Sequence) or isinstance(items, str):
        raise DirectiveError("PLY2002", f"items gave {type(items).__name__}, expected a list")
    if len(items) + added > most:
        raise DirectiveError("PLY2002", f"{len(items) + added} items, the scope allows {most}")
    return items


def _round(state: RunState, node: Node, loop: LoopState, data: Mapping[str, JsonValue]) -> Draft:
    """The start of the next round; without room for its nodes the end of the scope."""
    if has_room(state, node):
        return Draft("scope.round", iteration(node, loop.next), None, data)
    if node.final:  # it gave its outputs: what is left of it runs for nobody
        return Draft("run.cancelling", node.path, None, {"reason": "budget"})
    return _close(node, "budget", too_many(node))


def step(state: RunState, node: Node, moment: Moment) -> Draft:
    """The event for what ``pending`` says."""
    loop = node.scope
    match pending(node):
        case "round":
            return _round(state, node, loop, {"index": loop.next})
        case "advance":
            return _advance(state, node, loop)
        case "close":
            if node.cancelling is not None:
                return _close(node, "cancelled")
            if loop.failure is not None:
                return _close(node, "failed", loop.failure)
            return _close(node, "complete" if loop.complete else "done")
        case "finish":
            return _finish(state, node, loop, moment)
        case None:
            raise AssertionError(f"{node.path} is on the agenda with nothing to do")


def _close(node: Node, reason: str, error: Mapping[str, JsonValue] | None = None) -> Draft:
    data: dict[str, JsonValue] = {"reason": reason}
    if error is not None:
        data["error"] = dict(error)
    return Draft("scope.closed", node.path, node.attempt, data)


def _advance(state: RunState, node: Node, loop: LoopState) -> Draft:
    """The next round of a ``while`` or ``until``, or its end."""
    header = node.header
    if loop.failure is not None:
        return _close(node, "failed", loop.failure)
    if loop.complete:
        return _close(node, "done")
    if node.spec.kind == "while" and header.condition is not None:
        try:
            value = evaluate(header.condition, header_environment(state, loop))
        except ExpressionError as error:
            return _close(node, "failed", error_of("expression", f"while: {error.message}"))
        if value is not True:
            return _close(node, "done")
    if loop.next >= loop.max:
        if header.on_max == "accept":
            return _close(node, "accepted")
        return _close(node, "max", error_of("budget", f"not done after {loop.max} rounds"))
    return _round(state, node, loop, {"round": loop.next})


def header_environment(state: RunState, loop: LoopState) -> Environment:
    """``inputs state round``: what ``while`` sees."""
    return {
        "inputs": loaded(loop.inputs, state.reader),
        "state": loaded(loop.state, state.reader),
        "round": loop.next,
    }


def _finish(state: RunState, node: Node, loop: LoopState, moment: Moment) -> Draft:
    if loop.closed == "cancelled" or node.cancelling is not None:
        return Draft("node.cancelled", node.path, node.attempt, {"reason": node.cancelling or "cancelled"})
    if loop.closed not in _GIVES_OUTPUTS:
        error = loop.failure or error_of("internal", f"the scope closed: {loop.closed}")
        return fail(state, node, error, moment)
    try:
        outputs = _outputs(state, node, loop)
    except ExpressionError as error:
        return fail(state, node, error_of("expression", f"outputs: {error.message}"), moment)
    return Draft("node.succeeded", node.path, node.attempt, {"outputs": outputs})


def _outputs(state: RunState, node: Node, loop: LoopState) -> dict[str, JsonValue]:
    names = node.spec.scope_outputs
    if node.spec.kind == "for_each":
        rows = [None if row is None else loaded(row, state.reader) for row in loop.results]
        return {name: [None if row is None else row.get(name) for row in rows] for name in names}
    if loop.last is not None:
        return fill_outputs(state, loop.last, names)
    environment = {name: value for name, value in header_environment(state, loop).items() if name != "round"}
    return without_nodes(state, names, environment)


def round_ended(state: RunState, node: Node, frame: Frame) -> Draft:
    """The event that closes one iteration: cancelled, failed, or with what it brought."""
    path = frame.path
    if frame.cancelling is not None:
        return Draft("scope.closed", path, None, {"status": "cancelled"})
    if frame.failure is not None:
        return Draft("scope.closed", path, None, {"status": "failed", "error": dict(frame.failure)})
    data: dict[str, JsonValue] = {"status": "succeeded"}
    header = node.header
    try:
        if node.spec.kind == "for_each":
            data["outputs"] = fill_outputs(state, frame, node.spec.scope_outputs)
        elif node.spec.kind == "until" and header.condition is not None:
            data["until"] = truth(state, frame, header.condition)
        if header.next and not data.get("until"):
            data["next"] = fill_all(state, frame, header.next)
    except PolyphonyError as error:
        wrong = error_of("expression", f"{path}: {error.message}")
        return Draft("scope.closed", path, None, {"status": "failed", "error": wrong})
    return Draft("scope.closed", path, None, data)


def completed(state: RunState, node: Node, loop: LoopState) -> bool:
    """Whether ``complete_when`` holds; ``ExpressionError`` when it cannot be evaluated."""
    condition = node.header.complete_when
    if condition is None:
        return False
    counts = {"done": loop.done, "failed": loop.failed, "running": loop.running, "total": loop.total}
    environment = {**frame_environment(state, node.frame, (condition,)), **counts}
    if node.spec.scope_inputs:
        environment["inputs"] = loaded(loop.inputs, state.reader)
    return evaluate(condition, environment) is True
