"""Structured logs: one JSON object a line for what happens in a run, for machines that collect logs.

Every line has ``at level event message``; where it applies ``run melody node attempt status kind ms cached by``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping

from polyphony_runner.conductor.state import RunState
from polyphony_schemas.journal import Event, format_time
from polyphony_schemas.values import JsonValue

# Too many, or said by another event; they are in the journal.
_UNSAID = frozenset(
    {"node.ready", "node.progress", "node.usage", "node.connection", "scope.opened", "scope.round"}
)
_TAKEN = ("reason", "for", "by", "cached", "ms", "name", "question", "approved", "delay_ms", "final")


def log_entry(event: Event, state: RunState) -> dict[str, JsonValue] | None:
    """The line for an event, None for one that is worth none."""
    if event.type in _UNSAID:
        return None
    entry: dict[str, JsonValue] = {
        "at": format_time(event.at_ms),
        "level": _level(event),
        "event": event.type,
        "run": state.created.get("run"),
        "melody": state.created.get("name"),
    }
    if event.node is not None:
        entry["node"] = event.node
    if event.attempt is not None:
        entry["attempt"] = event.attempt
    entry |= {name: event.data[name] for name in _TAKEN if name in event.data}
    if event.type in ("run.finished", "scope.closed") and "status" in event.data:
        entry["status"] = event.data["status"]
    error = event.data.get("error")
    if isinstance(error, Mapping):
        entry |= {"kind": error.get("kind"), "message": error.get("message")}
    return entry


def _level(event: Event) -> str:
    failed = event.type == "run.finished" and event.data.get("status") == "failed"
    if failed or (event.type == "node.failed" and event.data.get("final") != "skip"):
        return "error"
    if event.type in ("node.retrying", "node.failed", "undo.failed", "run.halted"):
        return "warning"
    return "debug" if event.type in ("node.started", "scope.closed", "node.dead") else "info"


class StructuredLog:
    """An observer that writes entries through ``write``, those of level ``debug`` only when asked for."""

    def __init__(self, write: Callable[[str], object], *, debug: bool = False) -> None:
        self._write = write
        self._debug = debug

    def __call__(self, event: Event, state: RunState) -> None:
        """Write the line of an event."""
        entry = log_entry(event, state)
        if entry is not None and (self._debug or entry["level"] != "debug"):
            self._write(json.dumps(entry))


class JsonFormatter(logging.Formatter):
    """The records of ``logging`` in the same shape, for processes that are no run."""

    def format(self, record: logging.LogRecord) -> str:
        """One JSON object."""
        entry: dict[str, JsonValue] = {
            "at": format_time(int(record.created * 1000)),
            "level": record.levelname.lower(),
            "event": "log",
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry)
