"""What is taken back when a run fails, and what comes before it that nobody can take back (docs/melody.md)."""

from __future__ import annotations

from polyphony_schemas.graph.findings import IRREVERSIBLE_FIRST, Findings
from polyphony_schemas.graph.model import Graph, GraphNode
from polyphony_schemas.graph.scope import Scope, ancestors


def check_taking_back(scope: Scope, findings: Findings) -> None:
    """Warn where something irreversible is certainly done before a node that the melody would take back."""
    nodes = {name: node for name, node in scope.graph.nodes.items() if not node.handler}
    final = sorted(name for name, node in nodes.items() if _is_irreversible(node))
    if not final:
        return
    before = ancestors(scope.graph.edges)
    later = sorted(name for name, node in nodes.items() if _is_taken_back(node))
    for name in final:
        follower = next((one for one in later if one != name and name in before.get(one, ())), None)
        if follower is not None:
            findings.warning(
                IRREVERSIBLE_FIRST,
                scope.node_pointer(name),
                f"node {name!r} cannot be undone, and comes before {follower!r}, which is taken back when the run fails",
                f"let {name} come after {follower}, or name what makes up for it under undo",
            )


def _is_irreversible(node: GraphNode) -> bool:
    """Whether a node, or one inside it, has effects that stay."""
    if node.undo is not None:
        return False
    return node.effects == "irreversible" or any(_is_irreversible(inner) for inner in _inside(node.body))


def _is_taken_back(node: GraphNode) -> bool:
    """Whether a node, or one inside it, has something that is called when things fail."""
    if node.undo is not None or node.on_error.compensate is not None:
        return True
    return any(_is_taken_back(inner) for inner in _inside(node.body))


def _inside(body: Graph | None) -> list[GraphNode]:
    return [] if body is None else [node for node in body.nodes.values() if not node.handler]
