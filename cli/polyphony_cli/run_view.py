"""How a run looks in a terminal: lines while it goes on, a summary of at most eight lines when it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

from polyphony_cli.console import Console, plain
from polyphony_runner.runs.signs import sign_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from polyphony_runner.conductor.state import Node, RunState
    from polyphony_schemas.journal import Event

_COLOURS = {"succeeded": "green", "failed": "red", "cancelled": "yellow", "skipped": "dim", "dead": "dim"}
_ENDS = {
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.skipped": "skipped",
    "node.cancelled": "cancelled",
}
_SUMMARY_LINES = 8


class RunView(Protocol):
    """Sees every durable event; a context manager around the run."""

    def __call__(self, event: Event, state: RunState) -> None:
        """Show one event."""
        ...

    def around(self) -> AbstractContextManager[object]:
        """What surrounds the run."""
        ...


def view_for(console: Console, *, tty: bool) -> RunView:
    """Live lines on a terminal, plain ones elsewhere."""
    return LiveView(console) if tty and not console.quiet else PlainView(console)


class PlainView:
    """One line for each node that ends, on stderr."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __call__(self, event: Event, state: RunState) -> None:
        """Print what ended, and what is tried again."""
        text = settled_line(event, state)
        if text is not None:
            self._console.say(text[1])

    def around(self) -> AbstractContextManager[object]:
        """Nothing."""
        return nullcontext()


class LiveView:
    """One live line for each running node, finished ones settle above."""

    def __init__(self, console: Console) -> None:
        from rich.console import Console as Terminal
        from rich.live import Live

        self._state: RunState | None = None
        self._progress: dict[str, str] = {}
        self._terminal = Terminal(stderr=True, no_color=not console.color, highlight=False)
        self._live = Live(
            console=self._terminal, refresh_per_second=8, transient=True, get_renderable=self._render
        )

    def __call__(self, event: Event, state: RunState) -> None:
        """Settle what ended; the rest is drawn by the clock."""
        self._state = state
        if event.type == "node.progress" and event.node:
            self._progress[event.node] = str(event.data.get("message") or "")
        text = settled_line(event, state)
        if text is not None:
            from rich.text import Text

            self._terminal.print(Text(plain(text[1]), style=_COLOURS.get(text[0], "")), no_wrap=True)

    def around(self) -> AbstractContextManager[object]:
        """The live region."""
        return self._live

    def _render(self) -> RenderableType:
        import time

        from rich.console import Group
        from rich.text import Text

        state = self._state
        if state is None:
            return Text("")
        now = time.time_ns() // 1_000_000
        lines = []
        for path in list(state.running)[: max(1, self._terminal.height - 2)]:
            seconds = (now - (state.nodes[path].started_ms or now)) / 1000
            line = f"{sign_of('running')} {path}  {seconds:.1f} s  {self._progress.get(path, '')}"
            lines.append(Text(plain(line), overflow="ellipsis", no_wrap=True))
        return Group(*lines)


def settled_line(event: Event, state: RunState) -> tuple[str, str] | None:
    """Status and line of a node that ended; None for what is not worth a line."""
    node = state.nodes.get(event.node or "")
    if node is None:
        return None
    if event.type == "node.retrying":
        error, seconds = event.data.get("error"), int(str(event.data.get("delay_ms", 0))) / 1000
        return "retrying", f"↻ {node.path}  again in {seconds:.1f} s: {_kind(error)}"
    if event.type == "node.waiting" and event.data.get("for") in ("fallback", "resume"):
        told = f"fallback {event.data['by']}" if "by" in event.data else "halts the run"
        return "retrying", f"↻ {node.path}  {told}: {_kind(event.data.get('error'))}"
    status = _ENDS.get(event.type)
    if status is None or (node.spec.kind == "core" and status != "failed"):
        return None
    if event.data.get("reason") == "interrupted":
        return "cancelled", f"{sign_of('cancelled')} {node.path}  interrupted"
    return status, node_line(node)


def node_line(node: Node) -> str:
    """One node in one line: sign, path, word, seconds, attempts, first line of the error."""
    from polyphony_runner.runs.report import shown_error

    parts = [f"{sign_of(node.status)} {node.path}", node.status]
    if node.cached:
        parts.append("cached")
    if node.attempt:
        parts.append(f"{node.busy_ms / 1000:.1f} s")
    if node.attempt > 1:
        parts.append(f"{node.attempt} attempts")
    if node.by is not None:
        parts.append(f"by {node.by}")
    if (error := shown_error(node)) is not None:
        parts.append(f"{error['kind']}: {first_line(str(error['message']))}")
    return "  ".join(parts)


def first_line(text: str, width: int = 160) -> str:
    """The first line, cut at ``width`` characters."""
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= width else line[: width - 1] + "…"


def summary(document: Mapping[str, object]) -> list[str]:
    """What a finished run came to, in at most eight lines."""
    nodes = document["nodes"]
    counts: dict[str, int] = {}
    for node in nodes.values() if isinstance(nodes, Mapping) else ():
        counts[node["status"]] = counts.get(node["status"], 0) + 1
    told = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
    status = str(document["status"])
    lines = [
        f"{sign_of(status)} {document['run']}  {status} in {document['seconds']} s  ({told or 'no nodes'})"
    ]
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


def _kind(error: object) -> str:
    if isinstance(error, Mapping):
        return f"{error.get('kind')}: {first_line(str(error.get('message')))}"
    return "error"
