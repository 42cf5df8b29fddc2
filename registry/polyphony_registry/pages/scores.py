"""A melody as something to draw: cards, wires, frames. Made from the compiled graph, read by picture and text twin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from polyphony_schemas.graph.model import Edge, Graph, GraphNode
from polyphony_schemas.values import JsonObject

CardKind = Literal["instrument", "operator", "addon", "core", "melody", "local", "frame"]
FrameKind = Literal["loop", "map", "block"]

_GLYPHS = {
    "read": "file",
    "write": "file",
    "network": "network",
    "secrets": "secret",
    "models": "money",
}


@dataclass(frozen=True, slots=True)
class Known:
    """What the catalogue knows of a package that is used: how to colour it and what to say."""

    kind: CardKind
    summary: str


@dataclass(frozen=True, slots=True)
class Card:
    """One node. A frame has a ``body``; ``bound`` says how often it may go round."""

    id: str
    kind: CardKind
    uses: str
    summary: str
    when: str = ""
    glyphs: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    handler: bool = False
    frame: FrameKind | None = None
    bound: str = ""
    body: Score | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """All connections from one card to another; without ``ports`` it is order only."""

    source: str
    target: str
    ports: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """One scope: its cards in the document's order, and the wires between them."""

    cards: tuple[Card, ...]
    wires: tuple[Wire, ...] = field(default=())


def score_of(document: JsonObject, packages: Mapping[str, Known]) -> Score:
    """The score of a valid ``melody.yaml``. ``packages`` is by ``owner/name``; unknown ones are drawn plainly."""
    from polyphony_schemas.graph.analysis import analyse
    from polyphony_schemas.melody import Melody

    return _scope(analyse(Melody.model_validate(document), {}).compiled.graph, packages)


def _scope(graph: Graph, packages: Mapping[str, Known]) -> Score:
    cards = tuple(_card(node, graph, packages) for node in graph.nodes.values())
    pairs: dict[tuple[str, str], list[Edge]] = {}
    for edge in graph.edges:
        if edge.source in graph.nodes and edge.target in graph.nodes and edge.source != edge.target:
            pairs.setdefault((edge.source, edge.target), []).append(edge)
    return Score(cards, tuple(_wire(source, target, edges) for (source, target), edges in pairs.items()))


def _wire(source: str, target: str, edges: list[Edge]) -> Wire:
    ports = dict.fromkeys(edge.source_port for edge in edges if edge.source_port is not None)
    conditions = dict.fromkeys(edge.when.source for edge in edges if edge.when is not None)
    return Wire(source, target, tuple(ports), " or ".join(conditions))


def _card(node: GraphNode, graph: Graph, packages: Mapping[str, Known]) -> Card:
    kind, summary = _kind(node, packages)
    return Card(
        id=node.id,
        kind=kind,
        uses=node.uses or "",
        summary=summary,
        when=node.when.source if node.when else "",
        glyphs=tuple(dict.fromkeys(_GLYPHS[key] for key in node.permissions if key in _GLYPHS)),
        inputs=_inputs(node, graph),
        outputs=tuple(
            dict.fromkeys(e.source_port for e in graph.edges if e.source == node.id and e.source_port)
        ),
        handler=node.handler,
        frame=_frame(node),
        bound=_bound(node),
        body=_scope(node.body, packages) if node.body else None,
    )


def _inputs(node: GraphNode, graph: Graph) -> tuple[str, ...]:
    wired = (edge.target_port for edge in graph.edges if edge.target == node.id)
    return tuple(dict.fromkeys([*node.values, *(port for port in wired if port)]))


def _kind(node: GraphNode, packages: Mapping[str, Known]) -> tuple[CardKind, str]:
    if node.body is not None:
        return "frame", ""
    uses = node.uses or ""
    if uses.startswith("core/"):
        return "core", "a node of the Conductor itself"
    if uses.startswith("."):
        return ("melody" if uses == "." else "local"), "a part of this package"
    name = uses.partition("@")[0]
    found = packages.get(name)
    return (found.kind, found.summary) if found else ("local", uses)


def _frame(node: GraphNode) -> FrameKind | None:
    if node.body is None:
        return None
    if node.kind == "for_each":
        return "map"
    return "block" if node.kind == "block" else "loop"


def _bound(node: GraphNode) -> str:
    loop = node.loop
    if loop is None or node.kind == "block":
        return ""
    if node.kind == "for_each":
        together = f" · {loop.parallel} at a time" if loop.parallel > 1 else ""
        return f"for each {loop.item_name}{together} · at most {loop.max}"
    condition = loop.condition.source if loop.condition else ""
    return f"{node.kind} {condition} · at most {loop.max} rounds"
