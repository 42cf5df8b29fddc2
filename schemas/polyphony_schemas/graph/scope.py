"""One scope while it is analysed: its document, its graph, and where each connection stands in the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from polyphony_schemas.graph.findings import join_pointer
from polyphony_schemas.graph.model import Edge, Graph
from polyphony_schemas.graph.sight import Sight
from polyphony_schemas.melody import Melody, ScopeBase


@dataclass(frozen=True, slots=True)
class HandlerUse:
    """A node that is named as a handler: how, by whom, where."""

    handler: str
    kind: str
    by: str
    pointer: str


@dataclass(frozen=True, slots=True)
class Scope:
    """A scope and what is inside it.

    ``places`` are the pointers of ``graph.edges``, in the same order; ``unknown`` are the nodes whose ports nobody
    knows; ``above`` are the ids of the enclosing scopes' nodes, for messages.
    """

    pointer: str
    model: Melody | ScopeBase
    graph: Graph
    places: tuple[str, ...]
    sight: Sight
    unknown: frozenset[str]
    handlers: tuple[HandlerUse, ...]
    children: Mapping[str, Scope]
    depth: int

    def node_pointer(self, node: str, *parts: str | int) -> str:
        """Where a node, or something inside it, stands."""
        return join_pointer(self.pointer, "nodes", node, *parts)

    def incoming(self) -> dict[str, list[tuple[int, Edge]]]:
        """The connections into each node, with their numbers."""
        found: dict[str, list[tuple[int, Edge]]] = {node: [] for node in self.graph.nodes}
        for number, edge in enumerate(self.graph.edges):
            if edge.source in found and edge.target in found:
                found[edge.target].append((number, edge))
        return found

    def walk(self) -> Iterator[Scope]:
        """This scope and all inside it."""
        yield self
        for child in self.children.values():
            yield from child.walk()


def ancestors(edges: Iterable[Edge]) -> dict[str, frozenset[str]]:
    """Every node that comes before each node (itself included when it lies on a cycle)."""
    sources: dict[str, set[str]] = {}
    for edge in edges:
        sources.setdefault(edge.target, set()).add(edge.source)
    known: dict[str, frozenset[str]] = {}
    for start in sources:
        if start not in known:
            _ancestors_of(start, sources, known)
    return known


def _ancestors_of(start: str, sources: Mapping[str, set[str]], known: dict[str, frozenset[str]]) -> None:
    """Depth first without recursion: a node is settled when everything before it is, or lies on a cycle."""
    stack = [(start, False)]
    open_nodes: set[str] = set()
    while stack:
        node, settled = stack.pop()
        if settled:
            before = sources.get(node, set())
            known[node] = frozenset(before).union(*(known.get(source, frozenset()) for source in before))
        elif node not in known and node not in open_nodes:
            open_nodes.add(node)
            stack.append((node, True))
            stack.extend((source, False) for source in sources.get(node, ()))
