"""What the run report shows beside the state: when each attempt ran, what models cost, what came out, what was written.

Read from the journal once, and bounded: a report of a run with very many nodes stays a page that can be opened.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import islice
from pathlib import Path
from typing import Literal

from polyphony_runner.conductor.ledger import Usage
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.logs import live_logs, read_log
from polyphony_runner.runs.produced import Produced, produced_by
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject, JsonValue

MOST_LOGS = 60
MOST_LINES = 20
MOST_ARTIFACTS = 500

Outcome = Literal["running", "succeeded", "failed", "retrying", "cancelled", "cached", "waiting"]
_ENDS: Mapping[str, Outcome] = {
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.retrying": "retrying",
    "node.cancelled": "cancelled",
}


@dataclass(slots=True)
class Span:
    """One attempt of a node, or one time of waiting, in milliseconds since the run began; ``end`` None: not over."""

    path: str
    attempt: int
    start: int
    end: int | None
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class LogExcerpt:
    """The last lines of an attempt, and how many there were."""

    node: str
    attempt: int
    lines: tuple[JsonObject, ...]
    total: int


@dataclass(slots=True)
class PageFacts:
    """Everything that the report shows beside the state. ``usage`` is by node and model, ``hosts`` by host and verdict."""

    spans: list[Span] = field(default_factory=list)
    usage: dict[tuple[str, str], Usage] = field(default_factory=dict)
    hosts: dict[tuple[str, str], int] = field(default_factory=dict)
    artifacts: list[Produced] = field(default_factory=list)
    logs: list[LogExcerpt] = field(default_factory=list)
    more_logs: int = 0


def page_facts(folder: RunFolder) -> PageFacts:
    """The facts of a run on disk."""
    events = list(read_journal(folder.journal))
    facts = facts_of_events(events)
    facts.artifacts = produced_by(folder, events)
    facts.logs, facts.more_logs = _logs(folder.logs, events)
    return facts


def facts_of_events(events: Iterable[Event]) -> PageFacts:
    """What the events alone tell."""
    facts = PageFacts()
    open_spans: dict[str, Span] = {}
    begin: int | None = None
    for event in events:
        if event.type == "run.started":
            begin = event.at_ms
        if begin is not None and event.node is not None:
            _timing(facts, open_spans, event, event.at_ms - begin)
        if event.type == "run.resumed":  # what was in flight when the process died ended then, unseen
            open_spans.clear()
        elif event.type == "node.usage":
            _usage(facts, event)
        elif event.type == "node.connection":
            place = (f"{event.data.get('host')}:{event.data.get('port')}", str(event.data.get("verdict")))
            facts.hosts[place] = facts.hosts.get(place, 0) + 1
    return facts


def _timing(facts: PageFacts, open_spans: dict[str, Span], event: Event, at: int) -> None:
    path, attempt = event.node or "", event.attempt or 0
    if event.type in ("node.started", "node.waiting", "scope.opened"):
        earlier = open_spans.get(path)
        if event.type == "scope.opened" and earlier is not None and earlier.outcome == "running":
            return
        if earlier is not None:
            earlier.end = at
            if event.data.get("error"):  # a fallback or a person is to mend it
                earlier.outcome = "failed"
        outcome: Outcome = "waiting" if event.type == "node.waiting" else "running"
        open_spans[path] = Span(path, attempt, at, None, outcome)
        facts.spans.append(open_spans[path])
    elif event.type in _ENDS:
        span = open_spans.pop(path, None)
        if span is None:
            if event.data.get("cached"):
                facts.spans.append(Span(path, attempt, at, at, "cached"))
            return
        span.end = at
        if span.outcome != "waiting":
            span.outcome = _ENDS[event.type]


def _usage(facts: PageFacts, event: Event) -> None:
    key = (event.node or "", str(event.data.get("model") or "–"))
    try:
        usd = Decimal(str(event.data.get("usd") or 0))
    except InvalidOperation:
        usd = Decimal(0)
    facts.usage.setdefault(key, Usage()).add(
        _count(event.data.get("input_tokens")), _count(event.data.get("output_tokens")), usd
    )


def _count(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _logs(folder: Path, events: list[Event]) -> tuple[list[LogExcerpt], int]:
    """The ends of the logs, those of failed attempts first; and how many more there are."""
    sealed = [
        (event.type not in ("node.failed", "node.retrying"), number, event)
        for number, event in enumerate(events)
        if isinstance(event.data.get("log"), Mapping)
    ]
    chosen = sorted(sorted(sealed, key=lambda one: one[:2])[:MOST_LOGS], key=lambda one: one[1])
    found = [_sealed(folder, event) for _, _, event in chosen]
    live = live_logs(folder) if folder.is_dir() else []
    for path in islice(live, MOST_LOGS):
        lines = list(read_log(folder, path.stem))
        if lines:
            first = lines[0]
            found.append(
                LogExcerpt(
                    str(first.get("node")),
                    _count(first.get("attempt")),
                    tuple(lines[-MOST_LINES:]),
                    len(lines),
                )
            )
    return found, len(sealed) - len(chosen)


def _sealed(folder: Path, event: Event) -> LogExcerpt:
    mark = event.data["log"]
    digest = str(mark["digest"]) if isinstance(mark, Mapping) else ""
    total = _count(mark.get("lines")) if isinstance(mark, Mapping) else 0
    lines = deque(read_log(folder, digest), MOST_LINES)
    return LogExcerpt(event.node or "", event.attempt or 0, tuple(lines), total)
