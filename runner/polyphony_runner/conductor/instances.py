"""How many nodes one run may hold."""

from __future__ import annotations

from polyphony_runner.conductor.state import Node, RunState, error_of
from polyphony_schemas.values import JsonValue

# Node instances of one run, all rounds and items together. Each keeps its state and outputs in memory, a few KB, for
# as long as the run goes on: this many take some hundred MB, one more nesting of loops would take all there is.
MOST_INSTANCES = 100_000


def has_room(state: RunState, node: Node, rounds: int = 1) -> bool:
    """Whether the run may hold the nodes of so many more rounds of this scope."""
    inside = len(node.spec.body.nodes) if node.spec.body is not None else 0
    return len(state.nodes) + rounds * inside <= MOST_INSTANCES


def too_many(node: Node) -> dict[str, JsonValue]:
    """The error of a scope for whose nodes there is no room."""
    return error_of("budget", f"another round of {node.path} would give the run over {MOST_INSTANCES} nodes")
