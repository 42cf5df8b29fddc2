"""What is computed once for each graph: who feeds whom, and what a join may cancel."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_schemas.graph.model import Edge, Graph


@dataclass(frozen=True, slots=True, eq=False)
class GraphPlan:
    """A graph with its connections by source and target, as indexes into ``edges``.

    ``cancels`` maps a join that cancels to the nodes all of whose outgoing paths end there.
    """

    graph: Graph
    edges: tuple[Edge, ...]
    incoming: dict[str, tuple[int, ...]]
    outgoing: dict[str, tuple[int, ...]]
    cancels: dict[str, tuple[str, ...]]
    started_by_routing: tuple[str, ...]


class Plans:
    """The plans of all graphs of one melody, made when first asked for."""

    def __init__(self) -> None:
        self._plans: dict[int, GraphPlan] = {}

    def of(self, graph: Graph) -> GraphPlan:
        """The plan of a graph of the melody; graphs live as long as their melody, so identity is the key."""
        plan = self._plans.get(id(graph))
        if plan is None:
            plan = self._plans[id(graph)] = plan_graph(graph)
        return plan


def plan_graph(graph: Graph) -> GraphPlan:
    """Index the connections; order in the document means nothing, so everything is sorted by name."""
    names = sorted(graph.nodes)
    incoming: dict[str, list[int]] = {name: [] for name in names}
    outgoing: dict[str, list[int]] = {name: [] for name in names}
    for index, edge in enumerate(graph.edges):
        incoming[edge.target].append(index)
        outgoing[edge.source].append(index)
    cancels = {
        name: _ending_at(name, graph, outgoing)
        for name in names
        if graph.nodes[name].join.kind == "first" or graph.nodes[name].join.cancel
    }
    return GraphPlan(
        graph=graph,
        edges=tuple(graph.edges),
        incoming={name: tuple(found) for name, found in incoming.items()},
        outgoing={name: tuple(found) for name, found in outgoing.items()},
        cancels=cancels,
        started_by_routing=tuple(name for name in names if not graph.nodes[name].handler),
    )


def _ending_at(join: str, graph: Graph, outgoing: dict[str, list[int]]) -> tuple[str, ...]:
    """Nodes that have outgoing connections, all of whose paths reach ``join`` and nothing else."""
    ends: dict[str, bool] = {join: True}

    def visit(first: str) -> None:
        stack = [first]
        while stack:
            name = stack[-1]
            targets = {graph.edges[index].target for index in outgoing[name]}
            unknown = [target for target in targets if target not in ends]
            if unknown:
                stack += unknown
                continue
            ends[name] = bool(targets) and all(ends[target] for target in targets)
            stack.pop()

    for name in sorted(graph.nodes):
        if name not in ends:
            visit(name)
    return tuple(name for name in sorted(ends) if ends[name] and name != join)
