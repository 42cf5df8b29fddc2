"""Opening a round: its nodes come to life, those without incoming connections may begin."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.conductor.joins import consider
from polyphony_runner.conductor.paths import place
from polyphony_runner.conductor.state import Frame, Node, RunState
from polyphony_runner.conductor.values import Value
from polyphony_schemas.graph.model import Graph


def open_frame(
    state: RunState,
    path: str,
    graph: Graph,
    *,
    owner: Node | None,
    index: int,
    inputs: Mapping[str, Value],
    variables: Mapping[str, Value],
) -> Frame:
    """A new round of ``graph`` with all its nodes waiting; attempts go on from earlier rounds of the same path."""
    plan = state.plans.of(graph)
    frame = Frame(path, plan, owner, index, inputs, variables)
    frame.edges = bytearray(len(plan.edges))
    frame.open = len(plan.started_by_routing)
    if owner is None:
        frame.limits = state.melody.limits
    else:
        above = owner.frame
        frame.depth = above.depth + 1
        frame.limits = above.limits
        if owner.spec.kind == "melody":
            frame.limits = state.melody_of(owner.spec).limits.over(above.limits)
    state.frames[path] = frame
    for name in plan.started_by_routing:
        node = Node(place(frame, name), graph.nodes[name], frame, waiting=len(plan.incoming[name]))
        node.attempt = state.attempts.get(node.path, 0)
        frame.nodes[name] = node
        state.nodes[node.path] = node
    for name in plan.started_by_routing:
        if not plan.incoming[name]:
            consider(state, frame.nodes[name])
    if frame.open == 0:
        state.agenda[path] = "end"
    return frame
