"""What the pure core may not find out by itself: time, luck, and what no cache holds; said by the shell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_schemas.journal import EventType
from polyphony_schemas.values import JsonObject


@dataclass(frozen=True, slots=True)
class Moment:
    """Unix time in milliseconds, and a number from -1 to 1 for the jitter of a retry.

    ``missed`` names pure nodes that were looked up without finding a result, in their order: they may be executed.
    ``locks`` are held against other runs, each for the node whose path it maps to.
    """

    now_ms: int
    luck: float = 0.0
    missed: Mapping[str, None] = field(default_factory=dict)
    locks: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Draft:
    """An event that should be appended; the shell gives it its number and time."""

    type: EventType
    node: str | None = None
    attempt: int | None = None
    data: JsonObject = field(default_factory=dict)
