"""The nodes of a run as a table, each with its place in time; what a scope did many times is one row."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from polyphony_cli.run_lines import first_line, node_facts
from polyphony_runner.conductor.paths import without_rounds
from polyphony_runner.runs.report import shown_error
from polyphony_runner.runs.signs import sign_of

if TYPE_CHECKING:
    from polyphony_runner.conductor.state import Node, RunState
    from polyphony_runner.observe.spans import Span

# Instances of one node that get a row each; of more, those that failed do.
_MOST_ROWS = 20
_MOST_FAILED = 10
_NAME_SHARE = 3
_LEAST_BAR = 20
# The end of a stack trace says most; the whole stands in the journal and under --json.
_TRACE_LINES = 8


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table, and what stands below it."""

    sign: str
    name: str
    facts: str
    spans: Sequence[Span] = ()
    below: Sequence[str] = field(default=())


def table(state: RunState, spans: Sequence[Span], *, width: int) -> Iterator[str]:
    """The lines: sign, node, time bar (where ``width`` leaves room), facts, and the error below."""
    rows = list(_rows(state, spans))
    if not rows:
        return
    name_width = min(max(len(row.name) for row in rows), max(12, width // _NAME_SHARE))
    facts_width = max(len(row.facts) for row in rows)
    bar_width = min(60, width - name_width - min(facts_width, width // 3) - 8)
    axis = _Axis.of(state, bar_width) if bar_width >= _LEAST_BAR else None
    for row in rows:
        name = row.name if len(row.name) <= name_width else "…" + row.name[1 - name_width :]
        bar = f"  {axis.bar(row.spans)}" if axis is not None else ""
        yield f"  {row.sign} {name:<{name_width}}{bar}  {row.facts}".rstrip()
        yield from (f"      {line}" for line in row.below)


def _rows(state: RunState, spans: Iterable[Span]) -> Iterator[Row]:
    by_node: dict[str, list[Span]] = {}
    for span in spans:
        by_node.setdefault(span.node, []).append(span)
    groups: dict[str, list[Node]] = {}
    for node in state.nodes.values():
        groups.setdefault(without_rounds(node.path), []).append(node)
    for name in _in_order(groups, by_node):
        nodes = groups[name]
        if len(nodes) <= _MOST_ROWS:
            yield from (_row(node, by_node.get(node.path, ())) for node in nodes)
        else:
            yield _together(name, nodes, by_node)
            failed = [node for node in nodes if node.status == "failed"]
            for number, node in enumerate(failed[:_MOST_FAILED]):
                yield _row(node, by_node.get(node.path, ()), traced=number == 0)


def _in_order(groups: Mapping[str, Sequence[Node]], spans: Mapping[str, Sequence[Span]]) -> list[str]:
    """What is inside stands below its scope; beside each other in the order of their starts, what never began last."""
    began = {
        name: min((span.seq for node in nodes for span in spans.get(node.path, ())), default=math.inf)
        for name, nodes in groups.items()
    }

    def place(name: str) -> list[tuple[float, str]]:
        *scopes, own = itertools.accumulate(name.split("/"), "{}/{}".format)
        return [(began.get(path, math.inf), path) for path in (*scopes, own)]

    return sorted(groups, key=place)


def _row(node: Node, spans: Sequence[Span], *, traced: bool = True) -> Row:
    below: list[str] = []
    if (error := shown_error(node)) is not None:
        below.append(f"{error['kind']}: {first_line(str(error['message']))}")
        trace = str(error.get("trace") or "").strip().splitlines() if traced else []
        below += [f"  {_indented(line)}" for line in trace[-_TRACE_LINES:]]
    return Row(sign_of(node.status), node.path, "  ".join(node_facts(node)), spans, below)


def _indented(line: str) -> str:
    return " " * (len(line) - len(line.lstrip())) + first_line(line)


def _together(name: str, nodes: Sequence[Node], by_node: Mapping[str, Sequence[Span]]) -> Row:
    statuses = sorted(node.status for node in nodes)
    told = ", ".join(f"{len(list(group)):,} {status}" for status, group in groupby(statuses))
    cached = sum(node.cached for node in nodes)
    seconds = sum(node.busy_ms for node in nodes) / 1000
    worst: str = next(
        (one for one in ("failed", "running", "waiting", "cancelled") if one in statuses), "succeeded"
    )
    facts = f"{told}{f', {cached:,} cached' if cached else ''}  {seconds:.1f} s together"
    spans = [span for node in nodes for span in by_node.get(node.path, ())]
    return Row(sign_of(worst), f"{name} ×{len(nodes):,}", facts, spans)


@dataclass(frozen=True, slots=True)
class _Axis:
    """Time from left to right without the pauses of the run."""

    start: int
    length: int
    width: int

    @classmethod
    def of(cls, state: RunState, width: int) -> _Axis:
        start = state.started_ms or 0
        end = state.ended_ms or state.now_ms
        return cls(start, max(1, end - start - state.paused_ms), width)

    def bar(self, spans: Sequence[Span]) -> str:
        cells = [" "] * self.width
        for span in spans:
            sign = {"failed": "╳", "retrying": "╳", "lost": "╳", "running": "▸"}.get(span.status, "━")
            first = self._cell(span.started_ms - span.paused_ms)
            last = max(first, self._cell(span.ended_ms - span.paused_ms))
            cells[first : last + 1] = "━" * (last - first + 1)
            if sign != "━" or cells[last] == " ":
                cells[last] = sign
        return "".join(cells)

    def _cell(self, at_ms: int) -> int:
        share = (at_ms - self.start) / self.length
        return min(self.width - 1, max(0, int(share * self.width)))
