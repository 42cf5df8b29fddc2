"""The task of a node for which nobody wrote one, from what its extension declares and how it is connected.

``{"generated": true, "objective": …, "inputs": {port: where its value comes from}, "outputs": {"format": …}}``. It
stands in the journal; the node itself gets objective and form, and its inputs as values like always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from polyphony_schemas.graph.answers import answer_ports
from polyphony_schemas.graph.model import Edge, GraphNode, Port, Template
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.values import JsonValue

_FILE = "urn:polyphony:file"


def generated_task(
    node: GraphNode, interface: PackageInterface, edges: Iterable[Edge]
) -> dict[str, Template]:
    """The task as templates without expressions; ``edges`` are those that lead to the node."""
    parts: dict[str, JsonValue] = {
        "generated": True,
        "objective": interface.summary or f"run {interface.name}",
        "inputs": _sources(node, edges),
        "outputs": _form(interface.outputs),
    }
    return {name: Template(value) for name, value in parts.items() if value}


def _sources(node: GraphNode, edges: Iterable[Edge]) -> dict[str, JsonValue]:
    """Each fed input port with the reference, or the expression, that feeds it."""
    sources: dict[str, JsonValue] = {}
    for edge in edges:
        if edge.target_port is not None and edge.source_port is not None:
            named = f"{edge.source}.{edge.source_port}"
            before = sources.get(edge.target_port)
            sources[edge.target_port] = f"{before}, {named}" if before else named
    properties = node.parameters.get("properties")
    parameters = properties if isinstance(properties, Mapping) else {}
    for name, template in node.values.items():
        if template.expressions and name not in parameters:
            sources[name] = ", ".join(expression.source for expression in template.expressions.values())
    return sources


def _form(ports: Mapping[str, Port]) -> dict[str, JsonValue]:
    """The form of the answer where the type of its port says one."""
    for name in answer_ports(ports):
        schema = ports[name].schema
        if schema.get("$ref") == _FILE:
            return {"format": "file"}
        kind = schema.get("type")
        if isinstance(kind, str):
            return {"format": "text" if kind == "string" else "json"}
    return {}
