"""Which orders of events a run may have: a notation for partial orders, and a check of a journal against it.

An event is written ``PATH.WORD``, where the word says what became of the node: ``started succeeded failed retrying
skipped dead cancelled waiting answered undoing undone undo_failed``; of an iteration ``opened closed``. ``signal:NAME`` and ``cancel:PATH`` (or
``cancel:run``) come from outside; ``#2`` is the second of its kind. A *chain* orders events:

- ``a < b``: whatever is left comes before whatever is right. A path alone stands for its start and its success (an
  iteration for its opening and its closing), ``w~`` for a node that waits in between.
- ``{a, b}``: both, in any order.
- ``a <> b <> c``: one after the other, whichever is first.
- ``each[0-3]``: the chain holds for each of the numbers.

A *trace* is a list of chains. It allows exactly the orders in which every event that it names comes once, no other
event comes, and every chain holds. An expectation lists traces; one has to fit.

>>> trace = Trace.of(["a < {b, c} < d"])
>>> ok = ["a.started", "a.succeeded", "c.started", "b.started", "b.succeeded", "c.succeeded", "d.started", "d.succeeded"]
>>> trace.objections(ok)
[]
>>> trace.objections([*ok[:5], "d.started", "c.succeeded", "d.succeeded"])
['d.started came before c.succeeded']
>>> Trace.of(["a <> b"]).objections(["a.started", "b.started", "a.succeeded", "b.succeeded"])
['a and b overlap']
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from polyphony_schemas.journal import Event

_UNDO = {"undo.started": "undoing", "undo.done": "undone", "undo.failed": "undo_failed"}
_FINALS = ("succeeded", "failed", "skipped", "dead", "cancelled")
WORDS = frozenset(
    (*_FINALS, "started", "retrying", "waiting", "answered", "opened", "closed", *_UNDO.values())
)
# Whether a node finds a lock or a budget taken is a matter of time: no order is asked of these waits.
_WAITS = frozenset({"delay", "at", "signal", "approval", "fallback", "resume"})
_SAME_WORD = frozenset(f"node.{word}" for word in (*_FINALS, "started", "retrying"))
_RANGE = re.compile(r"\[(\d+)-(\d+)\]")


@dataclass(frozen=True)
class Trace:
    """Events that each come once, ``before`` pairs of them, and spans (first, last event) that never overlap."""

    events: frozenset[str]
    before: tuple[tuple[str, str], ...]
    apart: tuple[tuple[tuple[str, str], tuple[str, str]], ...]

    @classmethod
    def of(cls, chains: Iterable[str]) -> Trace:
        """Read a list of chains."""
        events: dict[str, None] = {}
        before: list[tuple[str, str]] = []
        apart: list[tuple[tuple[str, str], tuple[str, str]]] = []
        for chain in (one for text in chains for one in _each_number(text)):
            if "<>" in chain:
                spans = [_span(word.strip()) for word in chain.split("<>")]
                groups = [[span] for span in spans]
                apart += [
                    ((left[0], left[-1]), (right[0], right[-1]))
                    for place, left in enumerate(spans)
                    for right in spans[place + 1 :]
                ]
            else:
                groups = [_group(text.strip()) for text in chain.split(" < ")]
                before += [
                    (left[-1], right[0]) for one, other in pairwise(groups) for left in one for right in other
                ]
            for span in (span for group in groups for span in group):
                events |= dict.fromkeys(span)
                before += pairwise(span)
        return cls(frozenset(events), tuple(dict.fromkeys(before)), tuple(apart))

    def objections(self, order: Sequence[str]) -> list[str]:
        """Why this order is none of those that are allowed; empty when it is one."""
        counted = Counter(order)
        wrong = [f"{event} did not come" for event in sorted(self.events - counted.keys())]
        wrong += [f"{event} came" for event in order if event not in self.events]
        wrong += [f"{event} came {count} times" for event, count in counted.items() if count > 1]
        place = {event: number for number, event in enumerate(order)}
        if wrong:
            return wrong
        wrong += [f"{right} came before {left}" for left, right in self.before if place[left] > place[right]]
        wrong += [
            f"{_path(one[0])} and {_path(other[0])} overlap"
            for one, other in self.apart
            if place[one[0]] < place[other[1]] and place[other[0]] < place[one[1]]
        ]
        return wrong


def observed(events: Iterable[Event]) -> list[str]:
    """What a journal says in the words of this notation, without the frame of the run itself."""
    counted: Counter[str] = Counter()
    found = []
    for word in filter(None, map(_word, events)):
        counted[word] += 1
        found.append(word if counted[word] == 1 else f"{word}#{counted[word]}")
    return found


def objections(traces: Sequence[Trace], order: Sequence[str]) -> list[str]:
    """Empty when one of the traces allows the order, else what the nearest one objects to."""
    return min((trace.objections(order) for trace in traces), key=len)


def _word(event: Event) -> str | None:
    path = event.node or "run"
    match event.type:
        case "signal.received":
            return f"signal:{event.data['name']}"
        case "run.cancelling":
            return f"cancel:{path}"
        case "approval.given":
            return f"{path}.answered"
        case "undo.started" | "undo.done" | "undo.failed":
            return f"{path}.{_UNDO[event.type]}"
        case "scope.round":
            return f"{path}.opened"
        case "scope.closed" if path.endswith("]"):
            return f"{path}.closed"
        case "node.waiting" if event.data["for"] in _WAITS:
            return f"{path}.waiting"
        case "run.halted" | "run.resumed":
            return event.type
        case type_ if type_ in _SAME_WORD:
            return f"{path}.{type_.removeprefix('node.')}"
    return None


def _each_number(chain: str) -> Iterator[str]:
    found = _RANGE.search(chain)
    if found is None:
        yield chain
        return
    for number in range(int(found[1]), int(found[2]) + 1):
        yield chain.replace(found[0], f"[{number}]")


def _group(text: str) -> list[list[str]]:
    if text.startswith("{") and text.endswith("}"):
        return [_span(word.strip()) for word in text[1:-1].split(",")]
    return [_span(text)]


def _span(word: str) -> list[str]:
    """The events that a word stands for, in their order."""
    if not re.fullmatch(r"[a-z0-9_:/.\[\]]+(#\d+|~)?", word):
        raise ValueError(f"{word!r} is no event")
    bare = word.partition("#")[0]
    if bare.startswith(("signal:", "cancel:")) or bare.rpartition(".")[2] in WORDS:
        return [word]
    if word.endswith("~"):
        return [f"{word[:-1]}.{one}" for one in ("started", "waiting", "succeeded")]
    if "#" in word or "." in word:
        raise ValueError(f"{word!r} is no event")
    return [
        f"{word}.{one}" for one in (("opened", "closed") if word.endswith("]") else ("started", "succeeded"))
    ]


def _path(event: str) -> str:
    return event.rpartition(".")[0]
