"""Nodes of the Conductor itself (docs/melody.md, Core nodes): set, merge, switch, raise, stop. No process, no place taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from polyphony_runner.conductor import signals, waits
from polyphony_runner.conductor.directives import DirectiveError, connected, given
from polyphony_runner.conductor.environment import fill, holds
from polyphony_runner.conductor.failures import fail
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.state import Node, RunState, error_of
from polyphony_runner.conductor.values import load
from polyphony_schemas.values import ERROR_KINDS, JsonValue

_STOP_STATUSES = ("succeeded", "failed", "cancelled")


def perform(state: RunState, node: Node, moment: Moment) -> Draft:
    """The event that ends a core node. Raises ``ExpressionError`` or ``DirectiveError`` before anything is done."""
    name = (node.spec.uses or "").removeprefix("core/")
    act = _ACTS.get(name)
    if act is None:
        raise DirectiveError("PLY2002", f"there is no core node {name!r}")
    return act(state, node, moment)


def _succeeded(node: Node, outputs: Mapping[str, JsonValue], **further: JsonValue) -> Draft:
    return Draft("node.succeeded", node.path, node.attempt, {"outputs": dict(outputs), **further})


def _set(state: RunState, node: Node, moment: Moment) -> Draft:
    del moment
    return _succeeded(node, given(state, node))


def _merge(state: RunState, node: Node, moment: Moment) -> Draft:
    del moment
    mode = node.spec.values["mode"].value if "mode" in node.spec.values else "object"
    brought = _live_inputs(state, node)
    match mode:
        case "object":
            value: JsonValue = dict(sorted(brought.items()))
        case "list":
            value = [item for _, item in sorted(brought.items())]
        case "first":
            if not brought:
                raise DirectiveError("PLY2002", "nothing to merge: no live input brought a value")
            value = next(iter(brought.values()))
        case _:
            raise DirectiveError("PLY2002", f"the mode is {mode!r}, expected object, list or first")
    return _succeeded(node, {"value": value})


def _live_inputs(state: RunState, node: Node) -> dict[str, JsonValue]:
    """The inputs of a merge that have a value, the one that was live first coming first."""
    frame = node.frame
    order = {frame.plan.edges[index].source: place for place, index in reversed([*enumerate(node.live)])}
    found: list[tuple[int, str, JsonValue]] = []
    for name, template in node.spec.values.items():
        references = [pair for one in template.expressions.values() for pair in one.references]
        if name != "mode" and all(
            source in order and port in frame.nodes[source].outputs for source, port in references
        ):
            since = max((order[source] for source, _ in references), default=-1)
            found.append((since, name, fill(state, frame, template)))
    for name, value in connected(node).items():
        index = next(index for index in node.live if frame.plan.edges[index].target_port == name)
        found.append((node.live.index(index), name, load(value, state.reader)))
    return {name: value for _, name, value in sorted(found, key=lambda one: one[:2])}


def _switch(state: RunState, node: Node, moment: Moment) -> Draft:
    """``value`` goes to exactly one port: of the first case that holds, else ``default``."""
    del moment
    values = given(state, node, without="cases")
    if "value" not in values:
        raise DirectiveError("PLY2002", "the required input 'value' got no value")
    cases = {str(place[0]): one for place, one in node.spec.values["cases"].expressions.items()}
    order = values.get("order")
    names = [str(name) for name in order] if isinstance(order, (list, tuple)) else sorted(cases)
    if sorted(names) != sorted(cases):
        raise DirectiveError("PLY2002", f"order gave {names}, expected each of {sorted(cases)} once")
    scope = {"value": values["value"]}
    chosen = next((name for name in names if holds(cases[name], scope)), "default")
    return _succeeded(node, {chosen: values["value"]})


def _raise(state: RunState, node: Node, moment: Moment) -> Draft:
    values = given(state, node)
    kind, message = values.get("kind", "internal"), str(values.get("message", "raised"))
    if kind not in ERROR_KINDS:
        raise DirectiveError("PLY2002", f"the kind is {kind!r}, expected one of: {', '.join(ERROR_KINDS)}")
    return fail(state, node, error_of(str(kind), message), moment)


def _stop(state: RunState, node: Node, moment: Moment) -> Draft:
    del moment
    values = given(state, node)
    status, message = values.get("status", "succeeded"), values.get("message", "")
    if status not in _STOP_STATUSES:
        raise DirectiveError("PLY2002", f"the status is {status!r}, expected {', '.join(_STOP_STATUSES)}")
    return _succeeded(node, {}, stop={"status": status, "message": str(message)})


_ACTS: dict[str, Callable[[RunState, Node, Moment], Draft]] = {
    "set": _set,
    "merge": _merge,
    "switch": _switch,
    "wait": waits.wait,
    "approve": waits.approve,
    "signal": signals.send,
    "raise": _raise,
    "stop": _stop,
}
