"""What people and other runs ask of a run besides a cancel: a signal, a decision. Each says the event it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_runner.conductor.directives import DirectiveError
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.signals import signal_draft
from polyphony_runner.conductor.state import RunState
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class SignalRequest:
    """A signal from outside. The same ``id`` counts once; ``source`` is ``{"by"}`` or ``{"run", "node"}``."""

    id: str
    name: str
    payload: JsonValue = None
    persistent: bool = True
    source: Mapping[str, JsonValue] = field(default_factory=dict)

    def draft(self, state: RunState) -> Draft | None:
        """Its event; None when it came before, or addresses a map that cannot take it."""
        if self.id in state.mail.seen or state.finished:
            return None
        try:
            return signal_draft(
                state,
                state.root,
                name=self.name,
                payload=self.payload,
                persistent=self.persistent,
                identity=self.id,
                source=self.source,
            )
        except DirectiveError:
            return None


@dataclass(frozen=True, slots=True)
class ApproveRequest:
    """Somebody decides what a ``core/approve`` asks."""

    node: str
    approved: bool
    by: str
    comment: str | None = None

    def draft(self, state: RunState) -> Draft | None:
        """Its event; None when the node does not wait for a decision (any more)."""
        node = state.nodes.get(self.node)
        if node is None or node.wait is None or node.wait.kind != "approval" or node.wait.over:
            return None
        data: dict[str, JsonValue] = {"approved": self.approved, "by": self.by, "comment": self.comment}
        return Draft("approval.given", self.node, node.attempt, data)


@dataclass(frozen=True, slots=True)
class Posted:
    """A signal to all runs of the melody has reached ``runs`` others; its sender may end."""

    path: str
    runs: int
