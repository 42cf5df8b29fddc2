"""The text twin of a picture: an ordered list of nodes with what feeds them."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_registry.pages.layout import lay_out
from polyphony_registry.pages.scores import Card, Score


@dataclass(frozen=True, slots=True)
class Line:
    """One node in words; ``inside`` are the nodes of a frame."""

    name: str
    what: str
    feeds: str
    inside: tuple[Line, ...] = ()


def lines_of(score: Score) -> tuple[Line, ...]:
    """The nodes from left to right, as the picture shows them."""
    places = {box.card.id: (box.x, box.y) for box in lay_out(score).boxes}
    cards = sorted(score.cards, key=lambda card: places[card.id])
    return tuple(_line(card, score) for card in cards)


def _line(card: Card, score: Score) -> Line:
    fed = []
    for wire in score.wires:
        if wire.target == card.id:
            ports = f" ({', '.join(wire.ports)})" if wire.ports else " (order only)"
            when = f" when {wire.condition}" if wire.condition else ""
            fed.append(f"{wire.source}{ports}{when}")
    what = card.bound or card.uses
    if card.when:
        what += f", when {card.when}"
    return Line(
        card.id,
        what,
        f"after {'; '.join(fed)}"
        if fed
        else "starts at once"
        if not card.handler
        else "only when another node fails",
        lines_of(card.body) if card.body else (),
    )
