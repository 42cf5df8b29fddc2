"""Explicit connections and references: both ends exist, in the same scope, and have those ports."""

from __future__ import annotations

from polyphony_schemas.graph.findings import UNKNOWN_NODE, UNKNOWN_PORT, Findings
from polyphony_schemas.graph.model import Edge, GraphNode
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.names import did_you_mean


def check_connections(scope: Scope, findings: Findings) -> None:
    """Unknown nodes, unknown ports, the same connection twice."""
    seen: dict[tuple[str, str | None, str, str | None], str] = {}
    for edge, place in zip(scope.graph.edges, scope.places, strict=True):
        if edge.reference:
            _check_output(scope, edge, place, findings)
            continue
        ends = [name for name in (edge.source, edge.target) if name not in scope.graph.nodes]
        for name in dict.fromkeys(ends):
            findings.error(UNKNOWN_NODE, place, *_unknown_node(scope, name))
        if ends:
            continue
        if (edge.source_port is None) != (edge.target_port is None):
            findings.error(
                UNKNOWN_PORT,
                place,
                f"got a port at one end only of {edge.source} -> {edge.target}, expected one at both ends or at neither",
                "without ports a connection means order alone",
            )
            continue
        _check_output(scope, edge, place, findings)
        _check_input(scope, edge, place, findings)
        key = (edge.source, edge.source_port, edge.target, edge.target_port)
        if key in seen:
            findings.error(
                "PLY1604", place, f"got the connection of {seen[key]} a second time", "remove one of the two"
            )
        seen.setdefault(key, place)


def _unknown_node(scope: Scope, name: str) -> tuple[str, str]:
    for parent, child in scope.children.items():
        if name in child.graph.nodes:
            return (
                f"got {name!r}, which is inside {parent!r}: connections do not cross the border of a scope",
                f"give {parent} an output and connect that",
            )
    if scope.pointer:
        hint = did_you_mean(name, scope.graph.nodes) or "pass it in through the scope's inputs"
        return f"got {name!r}, expected a node of this scope (connections do not cross its border)", hint
    return (
        f"got {name!r}, expected one of the nodes {', '.join(sorted(scope.graph.nodes)[:12])}",
        did_you_mean(name, scope.graph.nodes) or "add the node, or mend its name",
    )


def _check_output(scope: Scope, edge: Edge, place: str, findings: Findings) -> None:
    node = scope.graph.nodes.get(edge.source)
    if node is None or edge.source_port is None or edge.source in scope.unknown:
        return
    if edge.source_port not in node.outputs:
        findings.error(
            UNKNOWN_PORT,
            place,
            f"got {edge.source}.{edge.source_port}, expected {_outputs(node)}",
            did_you_mean(edge.source_port, node.outputs) or "only declared outputs exist",
        )


def _outputs(node: GraphNode) -> str:
    ports = ", ".join(f"{node.id}.{port}" for port in sorted(node.outputs)[:12])
    return f"one of {ports}" if ports else f"an output, but {node.id!r} has none"


def _check_input(scope: Scope, edge: Edge, place: str, findings: Findings) -> None:
    node = scope.graph.nodes[edge.target]
    port = edge.target_port
    if port is None or edge.target in scope.unknown or port in node.inputs or node.any_inputs is not None:
        return
    properties = node.parameters.get("properties")
    if isinstance(properties, dict) and port in properties:
        message = f"got {edge.target}.{port}, which is a parameter, expected an input"
        hint = f"write with: {{{port}: ${{ {edge.source}.{edge.source_port} }}}} at {edge.target}"
    else:
        names = ", ".join(f"{node.id}.{name}" for name in sorted(node.inputs)[:12])
        message = f"got {edge.target}.{port}, expected " + (
            f"one of {names}" if names else f"an input, but {node.id!r} has none"
        )
        hint = did_you_mean(port, node.inputs) or "only declared inputs exist"
    findings.error(UNKNOWN_PORT, place, message, hint)
