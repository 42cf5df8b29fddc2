"""What waits for the world outside, and what came from there: signals that are kept, nodes that wait (docs/melody.md)."""

from __future__ import annotations

from bisect import insort
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from polyphony_runner.conductor.values import Value
from polyphony_schemas.values import JsonObject, JsonValue

WaitKind = Literal["delay", "at", "signal", "approval"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal as it was received: event ``seq``, one ``id`` wherever it goes, ``source`` says who sent it."""

    seq: int
    id: str
    name: str
    payload: Value
    persistent: bool
    source: Mapping[str, JsonValue]


@dataclass(slots=True)
class Wait:
    """What a node waits for, until when (Unix milliseconds), and what came."""

    kind: WaitKind
    due_ms: int | None = None
    name: str = ""
    who: tuple[str, ...] = ()
    on_timeout: str = "reject"
    signal: Signal | None = None
    answer: JsonObject | None = None

    @property
    def over(self) -> bool:
        """Whether what was waited for has come."""
        return self.signal is not None or self.answer is not None


@dataclass(slots=True)
class Mail:
    """The signals of one run.

    ``kept`` is a FIFO of persistent signals for each name, ``waiters`` the paths that wait for a name, the one that
    has waited longest first; ``seen`` holds the ids of all that came, so that a signal which arrives twice counts
    once. ``outbox``: senders whose signal has yet to reach the other runs of the melody.
    """

    kept: dict[str, list[Signal]] = field(default_factory=dict)
    waiters: dict[str, dict[str, None]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    outbox: dict[str, Signal] = field(default_factory=dict)

    def keep(self, signal: Signal) -> None:
        """Keep a signal, in the order in which they came."""
        insort(self.kept.setdefault(signal.name, []), signal, key=lambda one: one.seq)

    def take(self, name: str) -> Signal | None:
        """The oldest kept signal of a name."""
        kept = self.kept.get(name)
        if not kept:
            return None
        signal = kept.pop(0)
        if not kept:
            del self.kept[name]
        return signal

    def wait(self, name: str, path: str) -> None:
        """A node begins to wait."""
        self.waiters.setdefault(name, {})[path] = None

    def stop(self, name: str, path: str) -> None:
        """A node waits no longer."""
        waiting = self.waiters.get(name, {})
        waiting.pop(path, None)
        if not waiting:
            self.waiters.pop(name, None)

    def longest(self, name: str) -> str | None:
        """The node that has waited longest for a name."""
        return next(iter(self.waiters.get(name, ())), None)

    def facts(self) -> tuple[object, ...]:
        """Everything that replay must give again."""
        waiters = {name: list(paths) for name, paths in self.waiters.items()}
        return dict(self.kept), waiters, set(self.seen), dict(self.outbox)
