"""A run that goes on, in a terminal: what ended settles above, what runs is drawn below, five times a second.

Nothing is drawn when an event comes: events only change counts and lists, a thread of the view paints, each time in
one write. So a run of ten thousand nodes costs what a run of ten costs.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console as Terminal
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from polyphony_cli.console import plain
from polyphony_cli.run_lines import Line, Narrator, rounds_text
from polyphony_runner.conductor.state import FINAL
from polyphony_runner.runs.signs import sign_of
from polyphony_schemas.values import JsonObject

if TYPE_CHECKING:
    from polyphony_runner.conductor.state import Node, RunState
    from polyphony_schemas.journal import Event

PAINT_SECONDS = 0.2
_MOST_ROWS = 16
_BAR = 20
_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "cancelled": "yellow",
    "retrying": "yellow",
    "waiting": "cyan",
    "running": "bold",
    "skipped": "dim",
}
_SIGN_ALONE = frozenset({"succeeded", "waiting", "running"})


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class LiveView:
    """Paints one run. ``clock`` gives Unix milliseconds."""

    def __init__(self, terminal: Terminal, *, clock: Callable[[], int] = _now_ms) -> None:
        self._terminal = terminal
        self._clock = clock
        self._narrator = Narrator()
        self._state: RunState | None = None
        self._settled: list[Line] = []
        self._progress: dict[str, JsonObject] = {}
        self._scopes: dict[str, None] = {}
        self._retrying: dict[str, int] = {}
        self._live = Live(console=terminal, auto_refresh=False, transient=True)
        self._over = threading.Event()

    def __call__(self, event: Event, state: RunState) -> None:
        """Note what an event changes; the next painting shows it."""
        self._state = state
        path = event.node or ""
        match event.type:
            case "node.progress":
                self._progress[path] = event.data
            case "scope.opened":
                self._scopes[path] = None
            case "node.retrying":
                self._retrying[path] = event.at_ms + int(str(event.data.get("delay_ms", 0)))
                self._progress.pop(path, None)
            case "node.ready" | "node.started":
                self._retrying.pop(path, None)
            case "node.succeeded" | "node.failed" | "node.cancelled":
                for table in (self._scopes, self._progress, self._retrying):
                    table.pop(path, None)
        line = self._narrator(event, state)
        if line is not None:
            self._settled.append(line)

    @contextmanager
    def around(self) -> Iterator[None]:
        """Paint from here on; at the end only the settled lines are left."""
        painter = threading.Thread(target=self._paint_on, name="live-view", daemon=True)
        with self._live:
            painter.start()
            try:
                yield
            finally:
                self._over.set()
                painter.join()
                self._settled += self._narrator.rest()
                self._paint(last=True)

    def abandon(self) -> None:
        """Leave the terminal as it was found: the process ends at once."""
        self._terminal.show_cursor(True)

    def _paint_on(self) -> None:
        while not self._over.wait(PAINT_SECONDS):
            self._paint()

    def _paint(self, *, last: bool = False) -> None:
        """Settled lines and the region below them in one write."""
        settled, self._settled = self._settled, []
        self._live.update(Text("") if last else self.region(), refresh=False)
        if settled:
            self._terminal.print(Text("\n").join(_text(line) for line in settled), soft_wrap=True)
        else:
            self._live.refresh()

    def region(self) -> RenderableType:
        """What goes on now: scopes, running nodes, what waits; then the counts."""
        state = self._state
        if state is None or state.started_ms is None:
            return Text("")
        now = self._clock()
        rows = list(self._rows(state, now))
        room = max(1, min(_MOST_ROWS, self._terminal.height - 2))
        if len(rows) > room:
            more = Text(f"  and {len(rows) - room + 1} more", style="dim")
            rows = [*rows[: room - 1], more]
        return Group(*rows, Text(self._counts(state, now), style="dim", no_wrap=True, overflow="ellipsis"))

    def _rows(self, state: RunState, now: int) -> Iterator[Text]:
        # list(dict) is one step for the interpreter: the run's own thread may change the table meanwhile.
        for path in list(self._scopes):
            node = state.nodes.get(path)
            if node is not None and node.loop is not None and not node.once and node.phase not in FINAL:
                yield self._row("running", node.path, self._scope_words(node, now))
        for path in list(state.running):
            node = state.nodes.get(path)
            if node is not None:
                words = [_seconds(now - (node.started_ms or now)), *self._progress_words(path)]
                yield self._row("running", path, words)
        for path, due in list(self._retrying.items()):
            yield self._row("retrying", path, [f"again in {_seconds(max(0, due - now))}"])
        for path in list(state.awaiting):
            node = state.nodes.get(path)
            wait = None if node is None else node.wait
            if wait is not None:
                what = {"approval": "for a decision", "signal": f"for the signal {wait.name}"}
                left = [] if wait.due_ms is None else [f"{_seconds(max(0, wait.due_ms - now))} left"]
                yield self._row("waiting", path, [f"waits {what.get(wait.kind, '')}".rstrip(), *left])

    def _row(self, status: str, path: str, words: list[str]) -> Text:
        width, rest = self._terminal.width, "  ".join(word for word in words if word)
        room = max(8, width - len(rest) - 5, width // 2)
        if len(path) > room:
            path = "…" + path[1 - room :]
        sign = "↻" if status == "retrying" else sign_of(status)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{sign} ", _STYLES.get(status, ""))
        return text.append(plain(f"{path}  {rest}"))

    def _scope_words(self, node: Node, now: int) -> list[str]:
        loop = node.scope
        ended, elapsed = loop.done + loop.failed, now - (node.started_ms or now)
        words = [rounds_text(node)]
        if node.spec.kind == "for_each" and loop.total:
            words.insert(0, self._bar(ended / loop.total))
        words.append(_seconds(elapsed))
        if node.spec.kind == "for_each" and 0 < ended < loop.total and elapsed > 5_000:
            words.append(f"about {_seconds(elapsed * (loop.total - ended) // ended)} left")
        return words

    def _progress_words(self, path: str) -> list[str]:
        data = self._progress.get(path)
        if data is None:
            return []
        done, total, message = data.get("done"), data.get("total"), str(data.get("message") or "")
        if isinstance(done, (int, float)) and isinstance(total, (int, float)) and total > 0:
            return [self._bar(min(1.0, max(0.0, done / total))), f"{done:g} of {total:g}", message]
        return [f"{done:g}" if isinstance(done, (int, float)) and done else "", message]

    def _bar(self, share: float) -> str:
        """A bar where there is room for one."""
        if self._terminal.width < 60:
            return ""
        full, empty = ("━", "─") if self._terminal.encoding.startswith("utf") else ("#", "-")
        filled = round(share * _BAR)
        return full * filled + empty * (_BAR - filled)

    def _counts(self, state: RunState, now: int) -> str:
        words = [f"{number:,} {status}" for status, number in list(self._narrator.ended.items())]
        waiting = len(state.ready) + len(state.lookups) + len(state.awaiting)
        words += [f"{len(state.running):,} running"] if state.running else []
        words += [f"{waiting:,} waiting"] if waiting else []
        spent = f"  {state.usage.usd:f} USD" if state.usage.usd else ""
        elapsed = now - (state.started_ms or now) - state.paused_ms
        return f"{', '.join(words) or 'nothing has ended yet'}  {_seconds(elapsed)}{spent}"


def _text(line: Line) -> Text:
    style = _STYLES.get(line.tone, "")
    if line.tone in _SIGN_ALONE:
        return Text(f"{line.sign} ", style).append(plain(line.text), "default")
    return Text(plain(line.whole), style)


def _seconds(milliseconds: int) -> str:
    """A duration as people say it.

    >>> _seconds(1_500), _seconds(90_000), _seconds(7_300_000)
    ('1.5 s', '1 m 30 s', '2 h 1 m')
    """
    seconds = milliseconds / 1000
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} m {rest} s"
    return f"{minutes // 60} h {minutes % 60} m"
