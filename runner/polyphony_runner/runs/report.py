"""What a run came to: the document of ``run --json``, made from the state alone."""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.conductor.values import loaded
from polyphony_schemas.values import JsonValue, RunId


def run_document(run: RunId, state: RunState) -> dict[str, JsonValue]:
    """``run status outputs nodes usage seconds``, with the run's own ``error`` added."""
    usage = state.usage
    return {
        "run": run,
        "status": state.status,
        "outputs": loaded(state.outputs, state.reader),
        "nodes": {path: node_document(node) for path, node in sorted(state.nodes.items())},
        "usage": {
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "usd": f"{usage.usd:f}",
        },
        "seconds": run_seconds(state),
        "error": error_document(state.error),
    }


def node_document(node: Node) -> dict[str, JsonValue]:
    """The entry of one node."""
    error = node.error if node.phase in ("failed", "retrying") else None
    return {
        "status": node.status,
        "attempts": node.attempt,
        "cached": node.cached,
        "seconds": round(node.busy_ms / 1000, 3),
        "by": None,
        "error": error_document(error),
    }


def error_document(error: Mapping[str, JsonValue] | None) -> dict[str, JsonValue] | None:
    """``kind message trace`` of an error."""
    if error is None:
        return None
    return {name: error.get(name) for name in ("kind", "message", "trace")}


def run_seconds(state: RunState) -> float:
    """Seconds from the start to the end or to the last event, pauses not counted."""
    if state.started_ms is None:
        return 0.0
    end = state.ended_ms if state.ended_ms is not None else state.now_ms
    return round((end - state.started_ms - state.paused_ms) / 1000, 3)
