"""From the events of a run to spans: which attempt of which node took from when to when, and how it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject

SpanStatus = Literal["running", "succeeded", "failed", "retrying", "cancelled", "lost"]
_ENDS: dict[str, SpanStatus] = {
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.retrying": "retrying",
    "node.cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Span:
    """One attempt of a node, a scope or a core node; times in Unix milliseconds.

    ``paused_ms`` is how long the run had been halted before it began, so that a picture can leave pauses out.
    ``cached``: found in the cache, no time at all. ``seq`` is the event it began with.
    """

    node: str
    attempt: int | None
    started_ms: int
    ended_ms: int
    status: SpanStatus
    seq: int
    paused_ms: int = 0
    cached: bool = False
    error: JsonObject | None = None


@dataclass(slots=True)
class Spans:
    """Fed with the events of one run in their order, gives each span when it is over."""

    now_ms: int = 0
    paused_ms: int = 0
    open: dict[str, Span] = field(default_factory=dict)
    _halted_ms: int = 0

    def feed(self, event: Event) -> Sequence[Span]:
        """The spans that end with this event."""
        before, self.now_ms = self.now_ms, max(self.now_ms, event.at_ms)
        if event.type == "run.resumed":
            return self._resumed(event, before)
        node = event.node
        if node is None:
            return ()
        if event.type == "node.started":
            before_it = self.open.pop(node, None)
            self.open[node] = Span(
                node, event.attempt, self.now_ms, self.now_ms, "running", event.seq, self.paused_ms
            )
            # Begun again without an end: it died with the process that the last resume took over from.
            return () if before_it is None else (_ended(before_it, self._halted_ms, "lost"),)
        status = _ENDS.get(event.type)
        if event.type == "node.waiting" and event.data.get("for") in ("fallback", "resume"):
            status = "failed"
        return () if status is None else self._end(event, node, status)

    def unfinished(self) -> Sequence[Span]:
        """What has begun and is not over, as of the last event."""
        return [_ended(span, self.now_ms, "running") for span in self.open.values()]

    def _end(self, event: Event, node: str, status: SpanStatus) -> Sequence[Span]:
        error = event.data.get("error")
        told = error if isinstance(error, Mapping) else None
        span = self.open.pop(node, None)
        if span is not None:
            return (_ended(span, self.now_ms, status, told),)
        if event.data.get("cached") is True:
            now = self.now_ms
            return (Span(node, None, now, now, status, event.seq, self.paused_ms, cached=True),)
        return ()

    def _resumed(self, event: Event, before: int) -> Sequence[Span]:
        """Attempts that are named lost are over; any other that died shows when its node is started again."""
        lost = event.data.get("lost")
        if isinstance(lost, Sequence) and not isinstance(lost, str):
            gone = [self.open.pop(str(path)) for path in lost if str(path) in self.open]
            return [_ended(span, self.now_ms, "lost") for span in gone]
        self.paused_ms += self.now_ms - before
        self._halted_ms = before
        return ()


def _ended(span: Span, at_ms: int, status: SpanStatus, error: JsonObject | None = None) -> Span:
    return Span(
        span.node, span.attempt, span.started_ms, at_ms, status, span.seq, span.paused_ms, span.cached, error
    )
