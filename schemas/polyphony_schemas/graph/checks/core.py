"""What only core nodes demand: one way to wait, cases that exist, times that can be read (docs/melody.md)."""

from __future__ import annotations

from datetime import datetime

from polyphony_schemas.graph.findings import BAD_CORE_NODE, Findings
from polyphony_schemas.graph.model import GraphNode
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.values import JsonValue


def check_core_nodes(scope: Scope, findings: Findings) -> None:
    """The core nodes of one scope."""
    for name, node in scope.graph.nodes.items():
        model = scope.model.nodes[name]
        if node.kind != "core":
            continue
        for key in ("task", "permissions"):
            if getattr(model, key, None) is not None:
                findings.error(
                    BAD_CORE_NODE,
                    scope.node_pointer(name, key),
                    f"got {key} at {node.uses}, which starts no process",
                    f"remove {key}",
                )
        if node.uses == "core/wait":
            _check_wait(scope, node, findings)
        elif node.uses == "core/switch":
            _check_switch(scope, node, findings)


def _check_wait(scope: Scope, node: GraphNode, findings: Findings) -> None:
    fed = {edge.target_port for edge in scope.graph.edges if edge.target == node.id}
    ways = [way for way in ("delay", "at", "signal") if way in node.values or way in fed]
    if len(ways) != 1:
        findings.error(
            BAD_CORE_NODE,
            scope.node_pointer(node.id),
            f"got {' and '.join(ways) or 'nothing to wait for'}, expected exactly one of delay, at and signal",
        )
    if "timeout" in node.values and "signal" not in ways:
        findings.error(
            BAD_CORE_NODE,
            scope.node_pointer(node.id, "with", "timeout"),
            "got a timeout, which only waiting for a signal has",
        )
    moment = node.values.get("at")
    if moment is not None and not moment.expressions and not _is_moment(moment.value):
        findings.error(
            BAD_CORE_NODE,
            scope.node_pointer(node.id, "with", "at"),
            f"got {moment.value!r}, expected a time with its zone such as 2030-01-31T08:00:00Z",
        )


def _is_moment(value: JsonValue) -> bool:
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def _check_switch(scope: Scope, node: GraphNode, findings: Findings) -> None:
    cases = node.values.get("cases")
    names = list(cases.value) if cases is not None and isinstance(cases.value, dict) else []
    if "default" in names:
        findings.error(
            BAD_CORE_NODE,
            scope.node_pointer(node.id, "with", "cases", "default"),
            "got a case called default, which is the port for when no case holds",
        )
    order = node.values.get("order")
    listed = list(order.value) if order is not None and isinstance(order.value, list) else names
    if sorted(map(str, listed)) != sorted(names):
        findings.error(
            BAD_CORE_NODE,
            scope.node_pointer(node.id, "with", "order"),
            f"got the order {', '.join(map(str, listed))}, expected each of {', '.join(sorted(names))} once",
        )
