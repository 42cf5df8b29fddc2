"""A melody and the melodies that its nodes use, put together: one table of graphs, each named by one key.

``uses`` means another package in every package that says it, so a graph alone cannot say which one its node runs.
Linking writes the key of a package in its place: the same key in all graphs for the same package. ``SELF`` is the
melody that is run. A melody may use itself, and two may use each other: the table holds each once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from polyphony_schemas.graph.model import CompiledMelody, Graph, GraphNode, Loop

SELF = "."


@dataclass(frozen=True, slots=True)
class Unlinked:
    """A compiled melody, and the keys of the packages that it names, by the words of ``uses``."""

    melody: CompiledMelody
    keys: Mapping[str, str]


def link(root: Unlinked, others: Mapping[str, Unlinked]) -> CompiledMelody:
    """The melody that is run, with every other one under its key in ``melodies``; its features are those of all."""
    table = {SELF: root, **others}
    graphs = {key: _linked(one, table) for key, one in table.items()}
    used = {key: melody for key, melody in graphs.items() if key != SELF}
    features = frozenset().union(*(one.melody.features for one in table.values()))
    return replace(graphs[SELF], melodies=used, features=features)


def _linked(one: Unlinked, table: Mapping[str, Unlinked]) -> CompiledMelody:
    return replace(one.melody, graph=_graph(one.melody.graph, one.keys, table))


def _graph(graph: Graph, keys: Mapping[str, str], table: Mapping[str, Unlinked]) -> Graph:
    return replace(graph, nodes={name: _node(node, keys, table) for name, node in graph.nodes.items()})


def _node(node: GraphNode, keys: Mapping[str, str], table: Mapping[str, Unlinked]) -> GraphNode:
    if node.body is not None:
        return replace(node, body=_graph(node.body, keys, table))
    if node.package is None:
        return node
    key = keys[node.package]
    if node.kind != "melody":
        return replace(node, package=key)
    return replace(node, package=key, scope_inputs=True, loop=_header(table[key].melody))


def _header(melody: CompiledMelody) -> Loop:
    """The budget of a melody bounds the node that uses it."""
    return Loop(
        budget_wall_ms=melody.budget_wall_ms,
        budget_usd=melody.budget_usd,
        budget_tokens=melody.budget_tokens,
    )
