"""The timeline of the run report: a staff on which each attempt of a node is a note, time from left to right.

A run of few nodes has a line with its name for each of them; of more, notes share lines wherever they do not overlap.
Everything is drawn, nothing is scripted; the table of nodes says the same in words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from polyphony_runner.conductor.state import Node, RunState
from polyphony_runner.runs.page_facts import Span
from polyphony_runner.runs.signs import sign_of

_STAFF_LINES = 5
_LINE_GAP = 22
_STAFF_GAP = 18
_WIDTH = 1000
_NAMES = 250
_TOP = 14
_AXIS = 26
_NOTE = 12
_MOST_NAMED = 60
_MOST_NOTES = 600
_LONGEST_NAME = 34
_STEPS = (1, 2, 5)
_MOST_TICKS = 8


def timeline(spans: Sequence[Span], state: RunState) -> str:
    """The section with the picture; empty when nothing was started."""
    if not spans or state.started_ms is None:
        return ""
    shown = spans[:_MOST_NOTES]
    last = (state.ended_ms or state.now_ms) - state.started_ms
    total = max(last, *(one.end or one.start for one in shown), 1)
    names = list(dict.fromkeys(one.path for one in shown))
    named = len(names) <= _MOST_NAMED
    lanes = {path: lane for lane, path in enumerate(names)} if named else _shared(shown, total)
    return _Picture(
        spans=shown, nodes=state.nodes, lanes=lanes, named=named, total=total, of=len(spans)
    ).draw()


@dataclass(frozen=True, slots=True)
class _Picture:
    """One staff below the other."""

    spans: Sequence[Span]
    nodes: Mapping[str, Node]
    lanes: Mapping[str, int]
    named: bool
    total: int
    of: int

    @property
    def left(self) -> int:
        """Where time begins."""
        return _NAMES if self.named else 8

    def draw(self) -> str:
        staves = max(self.lanes.values()) // _STAFF_LINES + 1
        height = int(_y(staves * _STAFF_LINES) + _AXIS)
        about = f"Timeline of {len(self.spans)} attempts; the table of nodes says the same"
        left_out = (
            f"<p class='muted'>The first {len(self.spans)} of {self.of} attempts.</p>"
            if self.of > len(self.spans)
            else ""
        )
        return "".join(
            (
                "<section><h2>Timeline</h2><div class='wide' tabindex='0' role='region' aria-label='Timeline'>",
                f"<svg class='timeline' viewBox='0 0 {_WIDTH} {height}' role='img' aria-label='{about}'>",
                *self._staves(staves),
                *self._axis(height),
                *self._names(),
                *(self._note(span) for span in self.spans),
                f"</svg></div>{left_out}</section>",
            )
        )

    def _staves(self, staves: int) -> list[str]:
        return [
            f"<line class='staff' x1='{self.left}' x2='{_WIDTH}' y1='{_y(line)}' y2='{_y(line)}'/>"
            for line in range(staves * _STAFF_LINES)
        ]

    def _axis(self, height: int) -> list[str]:
        step = _step(self.total)
        parts = []
        for tick in range(0, self.total + 1, step):
            x = self._x(tick)
            parts.append(f"<line class='tick' x1='{x:.1f}' x2='{x:.1f}' y1='0' y2='{height - 20}'/>")
            if x < _WIDTH - 60:
                parts.append(f"<text class='label' x='{x + 3:.1f}' y='{height - 6}'>{_time(tick)}</text>")
        return parts

    def _names(self) -> list[str]:
        if not self.named:
            return []
        return [
            f"<text class='name' x='0' y='{_y(lane) + 4:.0f}'>{escape(_short(path))}<title>{escape(path)}</title></text>"
            for path, lane in self.lanes.items()
        ]

    def _note(self, span: Span) -> str:
        end = self.total if span.end is None else span.end
        x = self._x(span.start)
        width = max(_NOTE, self._x(end) - x)
        x = min(x, _WIDTH - width)
        y = _y(self.lanes[span.path])
        node = self.nodes.get(span.path)
        kind = (
            "scope" if node is not None and node.is_scope else node.spec.kind if node is not None else "scope"
        )
        again = f", attempt {span.attempt}" if span.attempt > 1 else ""
        told = f"{span.path}{again}: {span.outcome}, from {_time(span.start)}, {_time(end - span.start)}"
        return self._sign(span, x, width, y) + (
            f"<rect class='note {span.outcome} {escape(kind)}' x='{x:.1f}' y='{y - _NOTE / 2:.1f}' "
            f"width='{width:.1f}' height='{_NOTE}' rx='{_NOTE / 2}'><title>{escape(told)}</title></rect>"
        )

    def _sign(self, span: Span, x: float, width: float, y: float) -> str:
        """Beside a note that did not come off, so that it does not differ by its colour alone."""
        status = "failed" if span.outcome == "retrying" else span.outcome
        if status not in ("failed", "cancelled"):
            return ""
        place = x + width + 4 if x + width < _WIDTH - 16 else x - 13
        return f"<text class='{status}' x='{place:.1f}' y='{y + 4:.0f}'>{sign_of(status)}</text>"

    def _x(self, at: int) -> float:
        return self.left + at / self.total * (_WIDTH - self.left - 8)


def _shared(spans: Sequence[Span], total: int) -> dict[str, int]:
    """The first line that is free from a node's first note to its last."""
    times: dict[str, tuple[int, int]] = {}
    least = total // 80  # the width of a short note
    for span in spans:
        start, end = times.get(span.path, (span.start, span.start))
        over = total if span.end is None else span.end
        times[span.path] = (start, max(end, over, span.start + least))
    free: list[int] = []
    lanes: dict[str, int] = {}
    for path, (start, end) in times.items():
        lane = next((lane for lane, until in enumerate(free) if until <= start), len(free))
        if lane == len(free):
            free.append(0)
        free[lane] = end
        lanes[path] = lane
    return lanes


def _y(lane: int) -> float:
    staff, line = divmod(lane, _STAFF_LINES)
    return staff * (_STAFF_LINES * _LINE_GAP + _STAFF_GAP) + _TOP + line * _LINE_GAP


def _step(total: int) -> int:
    """Milliseconds between two ticks: 1, 2 or 5 of a power of ten, of a second, or of minutes and hours."""
    steps = [step * 10**power for power in range(5) for step in _STEPS]
    steps += [step * 60_000 for step in (1, 2, 5, 10, 30, 60, 120, 360, 720, 1440)]
    return next((step for step in steps if total / step <= _MOST_TICKS), max(1, total // _MOST_TICKS))


def _time(milliseconds: int) -> str:
    if milliseconds < 1000:
        return f"{milliseconds} ms"
    if milliseconds < 60_000:
        return f"{milliseconds / 1000:.3f}".rstrip("0").rstrip(".") + " s"
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return (f"{hours} h " if hours else "") + f"{minutes} min" + (f" {seconds} s" if seconds else "")


def _short(path: str) -> str:
    """A long name by its end, which says most."""
    return path if len(path) <= _LONGEST_NAME else f"…{path[-_LONGEST_NAME + 1 :]}"
