"""Joins that can be met, and required ports that a join leaves without a value (docs/melody.md)."""

from __future__ import annotations

from itertools import combinations

from polyphony_schemas.graph.findings import BAD_JOIN, Findings
from polyphony_schemas.graph.model import Edge, GraphNode
from polyphony_schemas.graph.scope import Scope


def check_joins(scope: Scope, findings: Findings) -> None:
    """Every node of one scope."""
    for name, edges in scope.incoming().items():
        node = scope.graph.nodes[name]
        incoming = [edge for _, edge in edges]
        if node.join.kind == "n" and node.join.count > len(incoming):
            findings.error(
                BAD_JOIN,
                scope.node_pointer(name, "join"),
                f"got n: {node.join.count}, but {name!r} has {len(incoming)} incoming connections",
                f"use a number from 1 to {len(incoming)}"
                if incoming
                else "connect something, or remove the join",
            )
        if node.join.kind != "all" and name not in scope.unknown:
            _check_ports(scope, node, incoming, findings)


def _check_ports(scope: Scope, node: GraphNode, incoming: list[Edge], findings: Findings) -> None:
    sources = _sources_of_required(node, incoming)
    place = scope.node_pointer(node.id, "join")
    if node.join.kind in ("any", "first"):
        for (one, first), (other, second) in combinations(sorted(sources.items()), 2):
            if not first & second:
                findings.error(
                    BAD_JOIN,
                    place,
                    f"under join: {node.join.kind} one of the required inputs {one!r} and {other!r} never has a value:"
                    " they are fed by different connections",
                    "use join: all or active, or give one of them a default",
                )
                return
    for port, feeding in sorted(sources.items()):
        others = [edge for edge in incoming if edge.source not in feeding]
        enough = node.join.count if node.join.kind == "n" else 1
        if len(others) >= enough:
            findings.warning(
                BAD_JOIN,
                place,
                f"node {node.id!r} may start without a value for the required input {port!r}",
                "make the input optional, give it a default, or use join: all",
            )


def _sources_of_required(node: GraphNode, incoming: list[Edge]) -> dict[str, set[str]]:
    """Which nodes feed each required port that only connections feed."""
    found: dict[str, set[str]] = {}
    for edge in incoming:
        port = node.inputs.get(edge.target_port or "")
        if edge.target_port is not None and port is not None and port.required:
            found.setdefault(edge.target_port, set()).add(edge.source)
    return found
