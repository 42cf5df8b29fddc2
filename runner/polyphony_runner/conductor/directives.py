"""What a node is given when its join is met: inputs, parameters, task and grants, evaluated and checked."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.conductor.environment import fill, fill_all
from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.conductor.values import Value, load
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph.model import Port
from polyphony_schemas.graph.port_values import accept
from polyphony_schemas.values import JsonObject, JsonValue


class DirectiveError(PolyphonyError):
    """A node cannot be given what it needs; fails the node with kind ``validation``."""


def connected(node: Node) -> dict[str, Value]:
    """The values that live connections bring, by port; the first live one in the journal's order wins."""
    frame, found = node.frame, dict[str, Value]()
    for index in node.live:
        edge = frame.plan.edges[index]
        if edge.target_port is None or edge.source_port is None or edge.target_port in found:
            continue
        outputs = frame.nodes[edge.source].outputs
        if edge.source_port in outputs:
            found[edge.target_port] = outputs[edge.source_port]
    return found


def given(state: RunState, node: Node, *, without: str = "") -> dict[str, JsonValue]:
    """What ``with`` and connections give, before defaults; ``ExpressionError`` when ``with`` cannot be evaluated.

    A fallback has no connections: it gets the inputs of the node it stands in for. The
    port ``without`` is left alone.
    """
    fed = connected(node) if node.duty is None else node.duty.inputs
    values: dict[str, JsonValue] = {name: load(value, state.reader) for name, value in fed.items()}
    templates = {name: template for name, template in node.spec.values.items() if name != without}
    values.update(fill_all(state, node.frame, templates))
    return values


def directive(state: RunState, node: Node) -> dict[str, JsonObject]:
    """``inputs parameters task permissions`` of an extension node.

    Raises ``ExpressionError``, or ``DirectiveError`` when a required port has no value or a value breaks its
    schema.
    """
    values = given(state, node)
    declared = node.spec.parameters.get("properties")
    names = declared if isinstance(declared, Mapping) else {}
    parameters = {name: values.pop(name) for name in tuple(values) if name in names}
    task = {name: fill(state, node.frame, template) for name, template in node.spec.task.items()}
    inputs = check_inputs(node.spec.inputs, values, node.spec.any_inputs)
    return {
        "inputs": inputs,
        "parameters": check_parameters(node.spec.parameters, parameters),
        "task": task,
        "permissions": fill_all(state, node.frame, node.spec.permissions),
    }


def check_inputs(
    ports: Mapping[str, Port], values: Mapping[str, JsonValue], further: Port | None = None
) -> dict[str, JsonValue]:
    """Inputs with defaults filled in and numbers as declared; ``DirectiveError`` for what is missing or wrong."""
    found: dict[str, JsonValue] = {}
    for name, port in ports.items():
        if name in values:
            found[name] = _checked("input", name, values[name], port.schema)
        elif port.has_default:
            found[name] = port.default
        elif port.required:
            raise DirectiveError("PLY2002", f"the required input {name!r} got no value")
    for name in sorted(values.keys() - ports.keys()):
        if further is None:
            raise DirectiveError("PLY2002", f"there is no input or parameter {name!r}")
        found[name] = _checked("input", name, values[name], further.schema)
    return found


def check_parameters(schema: JsonObject, given: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Parameters with defaults filled in; ``DirectiveError`` for what is missing or wrong."""
    properties = schema.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    found = dict(given)
    for name, rules in known.items():
        if name not in found and isinstance(rules, Mapping) and "default" in rules:
            found[name] = rules["default"]
    required = schema.get("required")
    for name in required if isinstance(required, (list, tuple)) else ():
        if name not in found:
            raise DirectiveError("PLY2002", f"the required parameter {name!r} got no value")
    checked = _checked("parameters", "parameters", found, schema) if schema else found
    return dict(checked) if isinstance(checked, Mapping) else found


def _checked(what: str, name: str, value: JsonValue, schema: JsonObject) -> JsonValue:
    accepted, wrong = accept(name, value, schema)
    if wrong:
        raise DirectiveError("PLY2002", f"the {what} {wrong}" if what != name else wrong)
    return accepted
