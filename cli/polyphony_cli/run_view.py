"""How a run looks in a terminal: lines while it goes on, a summary of at most eight lines when it is over."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Protocol

from polyphony_cli.console import Console
from polyphony_cli.run_lines import Narrator, first_line
from polyphony_runner.runs.signs import sign_of

if TYPE_CHECKING:
    from polyphony_runner.conductor.state import RunState
    from polyphony_schemas.journal import Event

_SUMMARY_LINES = 8


class RunView(Protocol):
    """Sees every durable event; a context manager around the run."""

    def __call__(self, event: Event, state: RunState) -> None:
        """Show one event."""
        ...

    def around(self) -> AbstractContextManager[object]:
        """What surrounds the run."""
        ...

    def abandon(self) -> None:
        """The process is about to leave without unwinding."""
        ...


def view_for(console: Console, *, tty: bool) -> RunView:
    """Live lines on a terminal that can move its cursor, plain ones elsewhere, none with ``-q``."""
    if console.quiet:
        return SilentView()
    if console.log_json:
        return StructuredView(console)
    if tty:
        from rich.console import Console as Terminal

        from polyphony_cli.live_view import LiveView

        terminal = Terminal(stderr=True, no_color=not console.color, highlight=False, markup=False)
        if terminal.is_terminal and not terminal.is_dumb_terminal:
            return LiveView(terminal)
    return PlainView(console)


class PlainView:
    """One line for each thing that happened, on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._narrator = Narrator()

    def __call__(self, event: Event, state: RunState) -> None:
        """Say what the event is worth."""
        line = self._narrator(event, state)
        if line is not None:
            self._console.say(line.whole)

    @contextmanager
    def around(self) -> Iterator[None]:
        """What was counted is told at the end."""
        yield
        for line in self._narrator.rest():
            self._console.say(line.whole)

    def abandon(self) -> None:
        """Nothing to put right."""


class StructuredView:
    """One JSON object a line on stderr, for what collects logs."""

    def __init__(self, console: Console) -> None:
        from polyphony_runner.observe.structured import StructuredLog

        self._log = StructuredLog(
            lambda line: print(line, file=sys.stderr, flush=True), debug=console.verbose > 0
        )

    def __call__(self, event: Event, state: RunState) -> None:
        """Write the line of the event."""
        self._log(event, state)

    def around(self) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()

    def abandon(self) -> None:
        """Nothing to put right."""


class SilentView:
    """Says nothing, as ``-q`` asks."""

    def __call__(self, event: Event, state: RunState) -> None:
        """Nothing."""

    def around(self) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()

    def abandon(self) -> None:
        """Nothing to put right."""


def summary(document: Mapping[str, object]) -> list[str]:
    """What a finished run came to, in at most eight lines."""
    nodes = document["nodes"]
    counts: dict[str, int] = {}
    for node in nodes.values() if isinstance(nodes, Mapping) else ():
        words = (node["status"], "cached") if node["cached"] else (node["status"],)
        for word in words:
            counts[word] = counts.get(word, 0) + 1
    told = ", ".join(f"{count:,} {status}" for status, count in sorted(counts.items()))
    status = str(document["status"])
    going = status in ("running", "waiting")
    took = f"{status}, {document['seconds']} s so far" if going else f"{status} in {document['seconds']} s"
    lines = [f"{sign_of(status)} {document['run']}  {took}  ({told or 'no nodes'})"]
    error = document.get("error")
    if isinstance(error, Mapping):
        lines.append(f"  {error['kind']}: {first_line(str(error['message']))}")
    undone = document.get("undone")
    if isinstance(undone, Mapping):
        lines.append(f"  undone: {undone['done']}" + _failed_undos(undone["failed"]))
    outputs = document["outputs"]
    shown = list(outputs.items()) if isinstance(outputs, Mapping) else []
    room = _SUMMARY_LINES - len(lines)
    if len(shown) > room:
        shown, left = shown[: room - 1], len(shown) - room + 1
    else:
        left = 0
    lines += [f"  {name} = {_value(value)}" for name, value in shown]
    if left:
        lines.append(f"  and {left} more outputs: polyphony --json show {document['run']}")
    return lines


def _failed_undos(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
    return f", failed: {', '.join(paths[:3])}{more}" if paths else ""


def _value(value: object) -> str:
    import json
    import shlex

    if isinstance(value, Mapping) and {"digest", "name", "size"} <= value.keys():
        get = shlex.join(["polyphony", "artifacts", "get", str(value["digest"]), "-o", str(value["name"])])
        return f"{value['name']} ({value['size']} bytes)  {get}"
    return first_line(json.dumps(value, ensure_ascii=False), 100)
