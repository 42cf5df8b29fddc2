"""Scopes: size, depth, names inside, locks, and bounds that are known before the run."""

from __future__ import annotations

from collections.abc import Iterator

from polyphony_schemas.graph.findings import BAD_MUTEX, BAD_SCOPE, NAME_CLASH, TOO_BIG, Findings
from polyphony_schemas.graph.model import Graph, GraphNode
from polyphony_schemas.graph.scope import Scope
from polyphony_schemas.melody import MAX_NODES, ForEach


def check_size(root: Scope, findings: Findings) -> None:
    """All nodes of all scopes together."""
    count = sum(len(scope.graph.nodes) for scope in root.walk())
    if count > MAX_NODES:
        findings.error(
            TOO_BIG,
            "/nodes",
            f"got {count} nodes, expected at most {MAX_NODES}",
            "use for_each over a list, or a sub-melody",
        )
    if not root.model.nodes:
        findings.error(BAD_SCOPE, "/nodes", "got no nodes, expected at least one", "add a node")


def check_scopes(scope: Scope, findings: Findings) -> None:
    """The scope nodes of one scope."""
    for name, node in scope.graph.nodes.items():
        model = scope.model.nodes[name]
        if node.body is None:
            continue
        if not node.body.nodes and scope.depth < 16:
            findings.error(
                BAD_SCOPE,
                scope.node_pointer(name, "nodes"),
                f"scope {name!r} has no nodes, expected at least one",
            )
        if isinstance(model, ForEach):
            _check_for_each(scope, name, model, findings)
        if node.values and not node.scope_inputs:
            findings.error(
                BAD_SCOPE,
                scope.node_pointer(name, "with"),
                f"scope {name!r} has no inputs of its own, so with has no place to go",
                "declare inputs at the scope, or use the enclosing inputs inside",
            )
        if node.mutex is not None:
            _check_mutex(scope, name, node, findings)


def _check_for_each(scope: Scope, name: str, model: ForEach, findings: Findings) -> None:
    each = model.for_each
    if each.as_ in model.nodes or each.as_ == "index":
        findings.error(
            NAME_CLASH,
            scope.node_pointer(name, "for_each", "as"),
            f"got as: {each.as_}, which is the name of something else inside",
            "choose another name",
        )
    if isinstance(each.items, list) and isinstance(each.max, int) and len(each.items) > each.max:
        findings.error(
            BAD_SCOPE,
            scope.node_pointer(name, "for_each", "items"),
            f"got {len(each.items)} items, expected at most max: {each.max}",
        )
    elif not isinstance(each.items, list | str):
        findings.error(
            BAD_SCOPE,
            scope.node_pointer(name, "for_each", "items"),
            "expected a list, or ${ cel } that gives one",
        )
    elif isinstance(each.items, str) and "${" not in each.items:
        findings.error(
            BAD_SCOPE,
            scope.node_pointer(name, "for_each", "items"),
            f"got the text {each.items!r}, expected a list, or ${{ cel }} that gives one",
            f"write ${{ {each.items} }}",
        )


def _check_mutex(scope: Scope, name: str, node: GraphNode, findings: Findings) -> None:
    """A scope that holds a lock would wait for itself inside."""
    if node.body is None or node.mutex is None:
        return
    for inner in _all_nodes(node.body):
        if inner.mutex is not None and inner.mutex.name == node.mutex.name:
            findings.error(
                BAD_MUTEX,
                scope.node_pointer(name, "mutex"),
                f"scope {name!r} and the node {inner.id!r} inside it both hold {node.mutex.name!r}: it would wait for ever",
                "keep the lock at the scope alone",
            )


def _all_nodes(graph: Graph) -> Iterator[GraphNode]:
    for node in graph.nodes.values():
        yield node
        if node.body is not None:
            yield from _all_nodes(node.body)
