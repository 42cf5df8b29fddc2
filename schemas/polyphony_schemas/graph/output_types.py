"""What type the outputs of a scope have: those of the ports they name, lists of them for ``for_each``."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.graph.model import Expression, Graph, Port, Template
from polyphony_schemas.values import JsonObject


def loop_outputs(outputs: Mapping[str, Template], body: Graph, *, is_list: bool) -> dict[str, Port]:
    """The output ports of a scope."""
    ports = {}
    for name, template in outputs.items():
        inner = template_schema(template, body)
        # An item that brought nothing is null.
        schema: JsonObject = (
            {"type": "array", "items": {"anyOf": [inner, {"type": "null"}]}} if is_list and inner else inner
        )
        ports[name] = Port(schema or ({"type": "array"} if is_list else {}), required=False)
    return ports


def template_schema(template: Template, graph: Graph) -> JsonObject:
    """The schema of a value that is exactly one port, else ``{}``: anything."""
    expression = template.expressions.get(())
    return {} if expression is None else port_schema(expression, graph)


def port_schema(expression: Expression, graph: Graph) -> JsonObject:
    """The schema of an expression that is exactly ``node.port``, else ``{}``."""
    if len(expression.references) != 1:
        return {}
    node, port = expression.references[0]
    if expression.source.replace(" ", "") != f"{node}.{port}":
        return {}
    found = graph.nodes.get(node)
    declared = found.outputs.get(port) if found is not None else None
    return declared.schema if declared is not None else {}
