"""What a budget is compared with: what was reported, what was set aside, and what counts as spent without a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

Dimension = Literal["tokens", "usd"]
DIMENSIONS: tuple[Dimension, ...] = ("tokens", "usd")
Amounts: TypeAlias = dict[Dimension, Decimal]


def _nothing() -> Amounts:
    return {"tokens": Decimal(0), "usd": Decimal(0)}


@dataclass(slots=True)
class Usage:
    """What models cost so far, as nodes reported it."""

    input_tokens: int = 0
    output_tokens: int = 0
    usd: Decimal = Decimal(0)

    def add(self, input_tokens: int, output_tokens: int, usd: Decimal) -> None:
        """Count one report."""
        self.input_tokens += input_tokens
        self.output_tokens += output_tokens
        self.usd += usd

    def of(self, dimension: Dimension) -> Decimal:
        """Tokens of both directions, or USD."""
        return self.usd if dimension == "usd" else Decimal(self.input_tokens + self.output_tokens)


@dataclass(slots=True)
class Ledger:
    """The rest of one budget's books. ``reserved`` is what attempts in flight may still report; ``unreported`` is what
    counts as spent because nobody trustworthy reported what was."""

    reserved: Amounts = field(default_factory=_nothing)
    unreported: Amounts = field(default_factory=_nothing)


@dataclass(frozen=True, slots=True)
class Account:
    """The budget of the run or of one scope. ``path`` is the scope's, ``""`` for the run."""

    path: str
    limits: Mapping[Dimension, Decimal]
    usage: Usage
    ledger: Ledger

    def left(self, dimension: Dimension) -> Decimal:
        """What is not spent."""
        spent = self.usage.of(dimension) + self.ledger.unreported[dimension]
        return self.limits[dimension] - spent

    def free(self, dimension: Dimension) -> Decimal:
        """What is neither spent nor reserved."""
        return self.left(dimension) - self.ledger.reserved[dimension]

    @property
    def passed(self) -> bool:
        """Whether more was spent than the budget allows."""
        return any(self.left(dimension) < 0 for dimension in self.limits)


def amounts(pairs: Iterable[tuple[Dimension, str | int | None]]) -> Amounts:
    """The amounts that are given."""
    return {dimension: Decimal(str(value)) for dimension, value in pairs if value is not None}
