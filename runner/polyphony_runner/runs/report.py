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
        "error": error_document(state.error or _halting_error(state)),
        **_undone(state),
    }


def _halting_error(state: RunState) -> Mapping[str, JsonValue] | None:
    """Why a run halted that a failure halted."""
    error = state.halt.get("error")
    return error if isinstance(error, Mapping) else None


def _undone(state: RunState) -> dict[str, JsonValue]:
    undoing = state.undoing
    return {"undone": {"done": undoing.done, "failed": list(undoing.failed)}} if undoing.begun else {}


def node_document(node: Node) -> dict[str, JsonValue]:
    """The entry of one node."""
    return {
        "status": node.status,
        "attempts": node.attempt,
        "cached": node.cached,
        "seconds": round(node.busy_ms / 1000, 3),
        "by": node.by,
        "error": error_document(shown_error(node)),
    }


def shown_error(node: Node) -> Mapping[str, JsonValue] | None:
    """The error to show at a node: of its failure, or of the one that a retry, a fallback or a person is to mend."""
    return node.error if node.phase in ("failed", "retrying", "handled", "halted") else None


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
