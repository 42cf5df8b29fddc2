"""What a writer of journals needs of the format, without its document model: the types of events and the chain."""

from __future__ import annotations

import hashlib
from typing import Literal

FIRST_PREV = "0" * 64

EventType = Literal[
    "trigger.received",
    "run.created",
    "run.started",
    "node.ready",
    "node.started",
    "node.progress",
    "node.usage",
    "node.connection",
    "node.succeeded",
    "node.failed",
    "node.retrying",
    "node.skipped",
    "node.dead",
    "node.cancelled",
    "node.waiting",
    "scope.opened",
    "scope.round",
    "scope.closed",
    "signal.received",
    "approval.given",
    "undo.started",
    "undo.done",
    "undo.failed",
    "run.halted",
    "run.resumed",
    "run.cancelling",
    "run.finished",
    "notification.sent",
]


def line_digest(line: bytes) -> str:
    """What the next line has to name as ``prev``."""
    return hashlib.sha256(line).hexdigest()
