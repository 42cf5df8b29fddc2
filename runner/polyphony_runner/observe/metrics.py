"""Metrics of runs in the text format of Prometheus: counted from journal events, written to a file or served.

One family has one set of labels: ``melody`` (the package) and ``status`` or ``direction``; never a node or a run, so that
the number of series stays small however much is run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Literal

from polyphony_runner.conductor.state import RunState
from polyphony_runner.files import write_atomic
from polyphony_schemas.journal import Event

# Upper bounds of the buckets, in seconds.
BUCKETS = (0.01, 0.05, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0, 3600.0)
_ENDS = {
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.retrying": "retried",
    "node.waiting": "failed",
    "node.cancelled": "cancelled",
}
_NONE, _ONE = Decimal(0), Decimal(1)
_RUN_ENDS = ("run.finished", "run.halted")


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: what it is called, what it means."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str


_FAMILIES = (
    Family("polyphony_runs_total", "counter", "Runs that finished or halted, by status."),
    Family(
        "polyphony_run_seconds", "gauge", "Seconds that the last run of a melody took, pauses not counted."
    ),
    Family(
        "polyphony_run_end_timestamp_seconds", "gauge", "When the last run of a melody ended (Unix time)."
    ),
    Family("polyphony_node_attempts_total", "counter", "Attempts of nodes that are over, by status."),
    Family("polyphony_node_cached_total", "counter", "Nodes whose result was found in the cache."),
    Family("polyphony_node_seconds", "histogram", "Seconds that attempts of nodes took."),
    Family("polyphony_nodes_running", "gauge", "Attempts that are going on."),
    Family("polyphony_tokens_total", "counter", "Tokens that nodes reported, by direction."),
    Family("polyphony_usd_total", "counter", "US dollars that nodes reported."),
)
Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class _Histogram:
    counts: list[int] = field(default_factory=lambda: [0] * len(BUCKETS))
    total: float = 0.0
    number: int = 0

    def add(self, value: float) -> None:
        self.number += 1
        self.total += value
        for index, bound in enumerate(BUCKETS):
            if value <= bound:
                self.counts[index] += 1


@dataclass(slots=True)
class Metrics:
    """Counts what the events of any number of runs say; an observer of Conductors. ``text`` may be asked by any thread.

    Every event counts for itself, so that a run may go on in another process in the middle of an attempt.
    """

    _values: dict[str, dict[Labels, Decimal]] = field(default_factory=dict)
    _histograms: dict[Labels, _Histogram] = field(default_factory=dict)
    _running: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Event, state: RunState) -> None:
        """Count one event."""
        run = str(state.created.get("run", ""))
        melody = (("melody", str(state.created.get("name", ""))),)
        with self._lock:
            self._running[run] = len(state.running)
            if (status := _ENDS.get(event.type)) is not None:
                self._node(event, state, status, melody)
            elif event.type == "node.usage":
                self._usage(event, melody)
            elif event.type in _RUN_ENDS:
                self._ended(event, state, melody)
                del self._running[run]

    def forget(self, run: str) -> None:
        """The run goes on elsewhere."""
        with self._lock:
            self._running.pop(run, None)

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        with self._lock:
            running = Decimal(sum(self._running.values()))
            self._values["polyphony_nodes_running"] = {(): running}
            return "".join(self._family(family) for family in _FAMILIES)

    def write(self, path: Path) -> None:
        """Replace a file for the textfile collector of node_exporter, readable for all."""
        write_atomic(path, self.text().encode(), mode=0o644)

    def _node(self, event: Event, state: RunState, status: str, melody: Labels) -> None:
        node = state.nodes.get(event.node or "")
        if node is not None and (node.is_scope or node.spec.kind == "core"):
            return
        milliseconds = event.data.get("ms")
        if event.data.get("cached") is True:
            self._add("polyphony_node_cached_total", melody)
        elif isinstance(milliseconds, int):  # an attempt that was executed, and is over
            self._add("polyphony_node_attempts_total", (*melody, ("status", status)))
            self._histograms.setdefault(melody, _Histogram()).add(milliseconds / 1000)

    def _usage(self, event: Event, melody: Labels) -> None:
        for direction in ("input", "output"):
            tokens = event.data.get(f"{direction}_tokens")
            if isinstance(tokens, int) and tokens:
                self._add("polyphony_tokens_total", (*melody, ("direction", direction)), Decimal(tokens))
        usd = Decimal(str(event.data.get("usd") or 0))
        if usd:
            self._add("polyphony_usd_total", melody, usd)

    def _ended(self, event: Event, state: RunState, melody: Labels) -> None:
        self._add("polyphony_runs_total", (*melody, ("status", state.status)))
        milliseconds = event.at_ms - (state.started_ms or event.at_ms) - state.paused_ms
        self._values.setdefault("polyphony_run_seconds", {})[melody] = Decimal(milliseconds) / 1000
        ended = self._values.setdefault("polyphony_run_end_timestamp_seconds", {})
        ended[melody] = Decimal(event.at_ms) / 1000

    def _add(self, name: str, labels: Labels, amount: Decimal = _ONE) -> None:
        values = self._values.setdefault(name, {})
        values[labels] = values.get(labels, _NONE) + amount

    def _family(self, family: Family) -> str:
        lines = [f"# HELP {family.name} {family.help}", f"# TYPE {family.name} {family.kind}"]
        if family.kind == "histogram":
            for labels, found in self._histograms.items():
                lines += _histogram_lines(family.name, labels, found)
        else:
            values: Mapping[Labels, Decimal] = self._values.get(family.name, {})
            lines += [f"{family.name}{_labels(labels)} {value:f}" for labels, value in values.items()]
        return "\n".join(lines) + "\n"


def _histogram_lines(name: str, labels: Labels, found: _Histogram) -> Sequence[str]:
    bounds = [*(f"{bound:g}" for bound in BUCKETS), "+Inf"]
    counts = [*found.counts, found.number]
    return [
        *(
            f"{name}_bucket{_labels((*labels, ('le', bound)))} {count}"
            for bound, count in zip(bounds, counts, strict=True)
        ),
        f"{name}_sum{_labels(labels)} {found.total:.3f}",
        f"{name}_count{_labels(labels)} {found.number}",
    ]


def _labels(labels: Labels) -> str:
    r"""Labels as text, quotes, backslashes and line ends escaped.

    >>> _labels((("melody", 'a"b\\'),))
    '{melody="a\\"b\\\\"}'
    """
    if not labels:
        return ""
    quoted = (
        (name, value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")) for name, value in labels
    )
    return "{" + ",".join(f'{name}="{value}"' for name, value in quoted) + "}"
