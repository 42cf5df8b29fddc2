"""How many nodes one run may hold, and how deep they may lie."""

from __future__ import annotations

from polyphony_runner.conductor.state import Node, RunState, error_of
from polyphony_schemas.values import JsonValue

# Node instances of one run, all rounds and items together. Each keeps its state and outputs in memory, about 2 KB and
# what it gave, for as long as the run goes on: this many take some hundred MB, one more nesting of loops would take
# all there is.
MOST_INSTANCES = 200_000


# Scopes and sub-melodies inside each other: a melody that uses itself goes no deeper.
MAX_DEPTH = 16


def too_deep(node: Node) -> dict[str, JsonValue] | None:
    """The error of a scope whose nodes would lie too deep."""
    depth = node.frame.depth + 1
    if depth <= MAX_DEPTH:
        return None
    return error_of("budget", f"{node.path} would be {depth} scopes deep, the most is {MAX_DEPTH}")


def has_room(state: RunState, node: Node, rounds: int = 1) -> bool:
    """Whether the run may hold the nodes of so many more rounds of this scope."""
    graph = node.spec.body or (state.melody_of(node.spec).graph if node.spec.kind == "melody" else None)
    inside = len(graph.nodes) if graph is not None else 0
    return len(state.nodes) + rounds * inside <= MOST_INSTANCES


def too_many(node: Node) -> dict[str, JsonValue]:
    """The error of a scope for whose nodes there is no room."""
    return error_of("budget", f"another round of {node.path} would give the run over {MOST_INSTANCES} nodes")
