"""Connections and joins (docs/melody.md): what becomes live or dead when a node ends, and who may start then."""

from __future__ import annotations

from polyphony_runner.conductor.cancelling import cancel_node
from polyphony_runner.conductor.environment import truth
from polyphony_runner.conductor.state import DEAD, LIVE, WAITING, Frame, Node, RunState
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.graph.model import Edge


def settle_connections(state: RunState, source: Node) -> None:
    """A node has its last status: decide its outgoing connections, in the order of the graph."""
    frame = source.frame
    for index in frame.plan.outgoing[source.spec.id]:
        edge = frame.plan.edges[index]
        target = frame.nodes.get(edge.target)
        if target is None or frame.edges[index] != WAITING:
            continue
        try:
            live = _brings(source, edge) and (edge.when is None or truth(state, frame, edge.when))
        except ExpressionError as error:
            live = False
            _reject(state, target, f"the connection {edge.source} -> {edge.target}: {error.message}")
        _settle(state, frame, index, target, live=live)


def _brings(source: Node, edge: Edge) -> bool:
    """Whether the source succeeded (or was skipped over with outputs) and the named port has a value."""
    if source.phase == "failed":
        if not (source.tolerated and source.spec.on_error.skip_outputs is not None):
            return False
    elif source.phase != "succeeded":
        return False
    return edge.reference or edge.source_port is None or edge.source_port in source.outputs


def _settle(state: RunState, frame: Frame, index: int, target: Node, *, live: bool) -> None:
    frame.edges[index] = LIVE if live else DEAD
    target.waiting -= 1
    if live:
        target.live.append(index)
    else:
        target.dead += 1
    consider(state, target)


def consider(state: RunState, node: Node) -> None:
    """Put a waiting node on the agenda when its join is met or can no longer be met."""
    if node.phase != "waiting" or node.path in state.agenda:
        return
    met = join_met(node)
    if met is None:
        return
    if not met:
        state.agenda[node.path] = "dead"
        return
    state.agenda[node.path] = "begin"
    for name in node.frame.plan.cancels.get(node.spec.id, ()):
        if name in node.frame.nodes:
            cancel_node(state, node.frame.nodes[name], "join")


def join_met(node: Node) -> bool | None:
    """True: it may start; False: it never will; None: not known yet."""
    live, waiting = len(node.live), node.waiting
    if live + waiting + node.dead == 0:
        return True
    match node.spec.join.kind:
        case "all":
            return False if node.dead else (True if waiting == 0 else None)
        case "active":
            return None if waiting else live > 0
        case "any" | "first":
            return True if live else (False if waiting == 0 else None)
        case "n":
            count = node.spec.join.count
            return True if live >= count else (False if live + waiting < count else None)


def _reject(state: RunState, target: Node, message: str) -> None:
    """An incoming ``when`` that cannot be evaluated fails a node that still waits."""
    if target.phase == "waiting" and target.path not in state.agenda:
        state.rejections[target.path] = message
        state.agenda[target.path] = "reject"
