"""Where everything of a score stands: layers from left to right, few crossings, frames around their bodies.

Plain geometry, no SVG. Longest-path layers; long wires get a place of their own in each layer they cross;
each layer is ordered by the mean place of its neighbours, a few sweeps to and fro.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from polyphony_registry.pages.scores import Card, Score, Wire

CARD_WIDTH = 208
CARD_HEIGHT = 76
MARGIN = 20
ROW_GAP = 26
COLUMN_GAP = 56
FRAME_PAD = 28
FRAME_HEAD = 30
PILL_CHARACTERS = 26
MOST_CARDS = 300
MOST_WIRES = 1_000
MOST_CROSSINGS = 5_000
_PILL_CHARACTER = 6.6
_LANE = 10
_SWEEPS = 6


@dataclass(frozen=True, slots=True)
class Box:
    """A card's place; ``inner`` is the layout of a frame's body, relative to the box."""

    card: Card
    x: float
    y: float
    width: float
    height: float
    inner: Placed | None = None


@dataclass(frozen=True, slots=True)
class Path:
    """A wire's way: points from the source's right side to the target's left side."""

    wire: Wire
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A whole scope with its size."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    paths: tuple[Path, ...]


@dataclass(slots=True)
class _Slot:
    """One place in a layer: a card, or a long wire passing through."""

    key: str
    width: float
    height: float
    before: list[_Slot] = field(default_factory=list)
    after: list[_Slot] = field(default_factory=list)
    layer: int = 0
    order: float = 0.0
    x: float = 0.0
    y: float = 0.0


def is_drawable(score: Score) -> bool:
    """Whether a picture is worth its time and bytes: everybody who looks at a list pays for it."""
    cards, wires = _size(score)
    return cards <= MOST_CARDS and wires <= MOST_WIRES and _crossings(score) <= MOST_CROSSINGS


def _size(score: Score) -> tuple[int, int]:
    inner = [_size(card.body) for card in score.cards if card.body is not None]
    return (
        len(score.cards) + sum(cards for cards, _ in inner),
        len(score.wires) + sum(wires for _, wires in inner),
    )


def _crossings(score: Score) -> int:
    """How many layers all wires cross together."""
    forward = _forward(score)
    levels = _levels(score, forward)
    own = sum(levels[wire.target] - levels[wire.source] for wire in forward)
    return own + sum(_crossings(card.body) for card in score.cards if card.body is not None)


def lay_out(score: Score) -> Placed:
    """Place a score; (0, 0) is the top left corner."""
    inner = {card.id: lay_out(card.body) for card in score.cards if card.body is not None}
    slots = {card.id: _slot(card, inner.get(card.id)) for card in score.cards}
    forward = _forward(score)
    levels = _levels(score, forward)
    chains = _connect(forward, slots, levels)
    layers = _layers(slots, chains)
    _order(layers)
    width = _across(layers, forward, levels)
    height = _down(layers)
    boxes = tuple(
        Box(
            card,
            slots[card.id].x,
            slots[card.id].y,
            slots[card.id].width,
            slots[card.id].height,
            inner.get(card.id),
        )
        for card in score.cards
    )
    paths = tuple(Path(wire, _points(chains[wire])) for wire in forward)
    return Placed(width, height, boxes, paths)


def _slot(card: Card, inner: Placed | None) -> _Slot:
    if inner is None:
        return _Slot(card.id, CARD_WIDTH, CARD_HEIGHT)
    width = max(inner.width - 2 * MARGIN + 2 * FRAME_PAD, CARD_WIDTH)
    return _Slot(card.id, width, inner.height - 2 * MARGIN + FRAME_PAD + FRAME_HEAD)


def _forward(score: Score) -> list[Wire]:
    """The wires without those that would close a cycle: a document that is drawn may not be valid yet."""
    after: dict[str, list[Wire]] = {card.id: [] for card in score.cards}
    for wire in score.wires:
        after[wire.source].append(wire)
    kept: list[Wire] = []
    done: set[str] = set()
    for card in score.cards:
        _walk(card.id, after, set(), done, kept)
    return kept


def _walk(
    start: str, after: Mapping[str, list[Wire]], above: set[str], done: set[str], kept: list[Wire]
) -> None:
    if start in done:
        return
    above.add(start)
    for wire in after[start]:
        if wire.target in above:
            continue
        kept.append(wire)
        _walk(wire.target, after, above, done, kept)
    above.discard(start)
    done.add(start)


def _levels(score: Score, forward: list[Wire]) -> dict[str, int]:
    levels = {card.id: 0 for card in score.cards}
    for _ in score.cards:
        changed = False
        for wire in forward:
            if levels[wire.target] <= levels[wire.source]:
                levels[wire.target] = levels[wire.source] + 1
                changed = True
        if not changed:
            break
    return levels


def _connect(
    forward: list[Wire], slots: Mapping[str, _Slot], levels: Mapping[str, int]
) -> dict[Wire, list[_Slot]]:
    chains: dict[Wire, list[_Slot]] = {}
    for key, slot in slots.items():
        slot.layer = levels[key]
    for wire in forward:
        chain = [slots[wire.source]]
        between = range(levels[wire.source] + 1, levels[wire.target])
        chain += [_Slot(f"{wire.source}>{wire.target}", 0, _LANE, layer=level) for level in between]
        chain.append(slots[wire.target])
        for left, right in pairwise(chain):
            left.after.append(right)
            right.before.append(left)
        chains[wire] = chain
    return chains


def _layers(slots: Mapping[str, _Slot], chains: Mapping[Wire, list[_Slot]]) -> list[list[_Slot]]:
    everything = {id(slot): slot for slot in slots.values()}
    for chain in chains.values():
        everything.update({id(slot): slot for slot in chain})
    count = max((slot.layer for slot in everything.values()), default=-1) + 1
    layers: list[list[_Slot]] = [[] for _ in range(count)]
    for slot in everything.values():
        layers[slot.layer].append(slot)
    for layer in layers:
        for place, slot in enumerate(layer):
            slot.order = place
    return layers


def _order(layers: list[list[_Slot]]) -> None:
    for sweep in range(_SWEEPS):
        forward = sweep % 2 == 0
        for layer in layers if forward else reversed(layers):
            means = {id(slot): _mean(slot, slot.before if forward else slot.after) for slot in layer}
            layer.sort(key=lambda slot: means[id(slot)])  # used at once
            for place, slot in enumerate(layer):
                slot.order = place


def _mean(slot: _Slot, neighbours: list[_Slot]) -> float:
    return sum(n.order for n in neighbours) / len(neighbours) if neighbours else slot.order


def _across(layers: list[list[_Slot]], forward: list[Wire], levels: Mapping[str, int]) -> float:
    """Give every slot its x; the gap before a layer leaves room for the pills of the wires that end there."""
    pills: dict[int, float] = {}
    for wire in forward:
        if wire.condition:
            level = levels[wire.target]
            pills[level] = max(pills.get(level, 0.0), pill_width(wire.condition))
    x = float(MARGIN)
    for number, layer in enumerate(layers):
        if number:
            x += max(COLUMN_GAP, pills.get(number, 0.0) + 28)
        width = max(slot.width for slot in layer)
        for slot in layer:
            slot.x = x + (width - slot.width) / 2 if slot.width else x
        x += width
    return x + MARGIN


def _down(layers: list[list[_Slot]]) -> float:
    heights = [sum(s.height for s in layer) + ROW_GAP * (len(layer) - 1) for layer in layers]
    tallest = max(heights, default=0.0)
    for layer, height in zip(layers, heights, strict=True):
        y = MARGIN + (tallest - height) / 2
        for slot in layer:
            slot.y = y
            y += slot.height + ROW_GAP
    return tallest + 2 * MARGIN


def _points(chain: list[_Slot]) -> tuple[tuple[float, float], ...]:
    points = [(chain[0].x + chain[0].width, chain[0].y + chain[0].height / 2)]
    for slot in chain[1:-1]:
        points += [(slot.x, slot.y + _LANE / 2), (slot.x + CARD_WIDTH, slot.y + _LANE / 2)]
    points.append((chain[-1].x, chain[-1].y + chain[-1].height / 2))
    return tuple(points)


def pill_width(text: str) -> float:
    """Width of the pill that shows a condition, pixels."""
    return min(len(text), PILL_CHARACTERS) * _PILL_CHARACTER + 18
