"""What the events of a run say in lines: each thing that happens once, what a map does thousands of times counted.

Of everything that happens in the rounds of one node the first ten times get a line each; after that the count gets
one at 20, 50, 100, 200, …, and when half a minute passed without one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polyphony_runner.conductor.paths import without_rounds
from polyphony_runner.runs.report import shown_error
from polyphony_runner.runs.signs import sign_of

if TYPE_CHECKING:
    from polyphony_runner.conductor.state import Node, RunState
    from polyphony_schemas.journal import Event

_FIRST = 10
_SILENCE_MS = 30_000
_ENDS = {
    "node.succeeded": "succeeded",
    "node.failed": "failed",
    "node.skipped": "skipped",
    "node.cancelled": "cancelled",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: a sign with the style of ``tone``, and a text. ``word`` is what is counted where there are many."""

    sign: str
    text: str
    tone: str
    word: str

    @property
    def whole(self) -> str:
        """Sign and text."""
        return f"{self.sign} {self.text}"


@dataclass(slots=True)
class _Count:
    number: int = 0
    told: int = 0
    told_ms: int = 0
    sign: str = ""
    tone: str = ""


@dataclass(slots=True)
class Narrator:
    """Turns events into lines, and counts the nodes that ended (``ended``, by status)."""

    ended: dict[str, int] = field(default_factory=dict)
    _counts: dict[tuple[str, str], _Count] = field(default_factory=dict)

    def __call__(self, event: Event, state: RunState) -> Line | None:
        """The line that this event is worth, None for none."""
        tell = _TELLERS.get(event.type)
        if tell is not None:
            line = tell(event, state)
            many = line is not None and "[" in (event.node or "")
            return line if line is None or not many else self._counted(event, line.word, lambda: line)
        node, word = state.nodes.get(event.node or ""), _ENDS.get(event.type)
        if word is None or node is None or (node.spec.kind == "core" and word != "failed"):
            return None
        if event.data.get("reason") == "interrupted":
            return Line(sign_of("cancelled"), f"{node.path}  interrupted", "cancelled", "interrupted")
        word = "cached" if node.cached else word
        self.ended[word] = self.ended.get(word, 0) + 1
        if word != "cached" and "[" not in node.path:
            return _ended(node, word)
        return self._counted(event, word, lambda: _ended(node, word))

    def _counted(self, event: Event, word: str, line: Callable[[], Line]) -> Line | None:
        """The line itself for the first few, then the count now and then; what nobody sees is not made."""
        path = "nodes" if word == "cached" else without_rounds(event.node or "")
        count = self._counts.setdefault((path, word), _Count())
        count.number += 1
        if count.number > _FIRST and not (
            _is_round(count.number) or event.at_ms - count.told_ms >= _SILENCE_MS
        ):
            return None
        count.told, count.told_ms = count.number, event.at_ms
        if count.number <= _FIRST:
            count.tone = (shown := line()).tone
            count.sign = shown.sign
            return shown
        return Line(count.sign, f"{path}  {count.number:,} {word}", count.tone, word)

    def rest(self) -> Iterator[Line]:
        """At the end: what was counted since the last line about it."""
        for (path, word), count in self._counts.items():
            if count.number > count.told:
                yield Line(count.sign, f"{path}  {count.number:,} {word}", count.tone, word)


def _is_round(number: int) -> bool:
    """Whether it is 1, 2 or 5 times a power of ten."""
    return str(number).rstrip("0") in ("1", "2", "5")


def _ended(node: Node, word: str) -> Line:
    return Line(sign_of(node.status), node_text(node), node.status, word)


def _retrying(event: Event, state: RunState) -> Line:
    del state
    seconds = int(str(event.data.get("delay_ms", 0))) / 1000
    text = f"{event.node}  again in {seconds:.1f} s: {_kind(event.data.get('error'))}"
    return Line("↻", text, "retrying", "tried again")


def _waiting(event: Event, state: RunState) -> Line | None:
    data, path, run = event.data, event.node, state.created.get("run", "RUN")
    until = f" until {str(data['until'])[:19]}Z" if "until" in data else ""
    match data.get("for"):
        case "fallback":
            text = f"{path}  fallback {data['by']}: {_kind(data.get('error'))}"
            return Line("↻", text, "retrying", "taken over")
        case "resume":
            text = f"{path}  halts the run: {_kind(data.get('error'))}"
            return Line("‖", text, "failed", "halting the run")
        case "approval":
            asked = first_line(str(data.get("question", "")))
            text = f"{path}  asks{until}: {asked}  (polyphony approve {run} {path})"
        case "signal":
            name = data.get("name")
            text = f"{path}  waits for the signal {name}{until}  (polyphony signal {run} {name})"
        case "mutex":
            holder = f", held by {data['holder']}" if "holder" in data else ""
            text = f"{path}  waits for the lock {data.get('name')}{holder}"
        case "budget":
            text = f"{path}  waits for what others leave of the budget"
        case _:
            text = f"{path}  waits{until}"
    return Line(sign_of("waiting"), text, "waiting", "waiting")


def _approved(event: Event, state: RunState) -> Line:
    del state
    yes = event.data.get("approved") is True
    comment = event.data.get("comment")
    said = f": {first_line(str(comment))}" if comment else ""
    word = "approved" if yes else "rejected"
    text = f"{event.node}  {word} by {event.data.get('by')}{said}"
    return Line(sign_of("succeeded" if yes else "cancelled"), text, "succeeded" if yes else "cancelled", word)


def _signal(event: Event, state: RunState) -> Line:
    del state
    kept = "kept" if event.data.get("persistent") is not False else "nobody waits: dropped"
    where = f"reaches {event.node}" if event.node else kept
    return Line("⇢", f"signal {event.data.get('name')}  {where}", "waiting", "signals")


def _undone(event: Event, state: RunState) -> Line | None:
    del state
    if event.type == "undo.failed":
        text = f"{event.node}  undo by {event.data.get('by')} failed: {_kind(event.data.get('error'))}"
        return Line(sign_of("failed"), text, "failed", "not undone")
    return Line("↺", f"{event.node}  undone by {event.data.get('by')}", "cancelled", "undone")


def _resumed(event: Event, state: RunState) -> Line | None:
    del state
    lost, cut = event.data.get("lost"), event.data.get("cut")
    if isinstance(lost, (list, tuple)):
        return Line("↻", f"{', '.join(map(str, lost))}  lost with its worker: again", "retrying", "lost")
    if cut:
        return Line(
            "↻", f"{cut} bytes of an incomplete last line were cut off the journal", "retrying", "cut"
        )
    return None


def _cancelling(event: Event, state: RunState) -> Line:
    del state
    why = str(event.data.get("message") or event.data.get("reason") or "")
    return Line(
        sign_of("cancelled"), f"{event.node or 'the run'}  cancelling: {why}", "cancelled", "cancelling"
    )


_TELLERS: Mapping[str, Callable[[Event, RunState], Line | None]] = {
    "node.retrying": _retrying,
    "node.waiting": _waiting,
    "approval.given": _approved,
    "signal.received": _signal,
    "undo.done": _undone,
    "undo.failed": _undone,
    "run.resumed": _resumed,
    "run.cancelling": _cancelling,
}


def node_facts(node: Node) -> list[str]:
    """How a node stands: word, seconds, attempts, items or rounds."""
    facts: list[str] = [node.status]
    if node.cached:
        facts.append("cached")
    if node.attempt:
        facts.append(f"{node.busy_ms / 1000:.1f} s")
    if node.attempt > 1:
        facts.append(f"{node.attempt} attempts")
    if node.loop is not None and not node.once:
        facts.append(rounds_text(node))
    if node.by is not None:
        facts.append(f"by {node.by}")
    return facts


def node_text(node: Node) -> str:
    """One node: path, facts, first line of the error."""
    parts = [node.path, *node_facts(node)]
    if (error := shown_error(node)) is not None:
        parts.append(f"{error['kind']}: {first_line(str(error['message']))}")
    return "  ".join(parts)


def rounds_text(node: Node) -> str:
    """How far the items or rounds of a scope are."""
    loop = node.scope
    if node.spec.kind != "for_each":
        return f"{loop.next} round{'' if loop.next == 1 else 's'}"
    failed = f", {loop.failed:,} failed" if loop.failed else ""
    return f"{loop.done:,} of {loop.total:,} items{failed}"


def node_line(node: Node) -> str:
    """``node_text`` with its sign."""
    return f"{sign_of(node.status)} {node_text(node)}"


def first_line(text: str, width: int = 160) -> str:
    """The first line, cut at ``width`` characters."""
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= width else line[: width - 1] + "…"


def _kind(error: object) -> str:
    if isinstance(error, Mapping):
        return f"{error.get('kind')}: {first_line(str(error.get('message')))}"
    return "error"
