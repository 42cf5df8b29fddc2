"""How the status of a node or run is drawn, in a terminal as in the report."""

from __future__ import annotations

_SIGNS = {
    "waiting": "○",
    "running": "▸",
    "succeeded": "✓",
    "failed": "✗",
    "skipped": "–",
    "dead": "┄",
    "cancelled": "■",
    "halted": "‖",
    "unreadable": "?",
}


def sign_of(status: str) -> str:
    """One character; an unknown status looks as if it were running."""
    return _SIGNS.get(status, "▸")
