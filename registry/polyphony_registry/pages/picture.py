"""The score as inline SVG: classes from the one style sheet, no style attribute, and a title for everything cut short.

The look: kind colour as a bar on the left, dotted order-only wires, conditions as pills, repeat barlines around loops,
stacked edges behind maps, a double border for sub-melodies, permission glyphs at the bottom.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from polyphony_registry.pages.layout import (
    FRAME_HEAD,
    MARGIN,
    PILL_CHARACTERS,
    Box,
    Path,
    Placed,
    lay_out,
    pill_width,
)
from polyphony_registry.pages.scores import Card, Score

_RADIUS = 6
_TITLE = 20
_LINE = 30
_UNDER_PILL = 7
_THUMBNAIL_HEIGHT = 320
_GLYPHS = {
    "file": ("M2 1h5l3 3v7H2z M7 1v3h3", "reads or writes files"),
    "network": ("M6 1a5 5 0 1 0 .01 0z M1 6h10 M6 1c-3 3-3 7 0 10 M6 1c3 3 3 7 0 10", "talks to the network"),
    "secret": ("M3 5.5h6V11H3z M4 5.5V4a2 2 0 0 1 4 0v1.5", "uses secrets"),
    "money": ("M6 1a5 5 0 1 0 .01 0z M7.6 4.2c-1.8-1.2-3.4.6-1.6 1.6s.4 3-1.7 1.9", "uses paid models"),
}


def draw(score: Score, label: str) -> str:
    """A complete ``<svg>`` element; ``label`` names it for those who do not see it."""
    placed = lay_out(score)
    width, height = round(placed.width), round(placed.height)
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    head = f'<svg class="score" {size} role="img" aria-label="{escape(label)}" xmlns="http://www.w3.org/2000/svg">'
    return "".join([head, *_scope(placed, 0, 0), "</svg>"])


def miniature(score: Score) -> str:
    """The same score as a thumbnail without words, for lists; hidden from those who do not see it."""
    placed = lay_out(score)
    # A small score is not blown up: its cards look like those of its neighbours in a list.
    height = max(placed.height, _THUMBNAIL_HEIGHT)
    box = f"0 {round((placed.height - height) / 2)} {round(placed.width)} {round(height)}"
    size = f'viewBox="{box}" preserveAspectRatio="xMinYMid meet"'
    head = f'<svg class="miniature" {size} aria-hidden="true" focusable="false">'
    return "".join([head, *_thumbnail(placed), "</svg>"])


def _thumbnail(placed: Placed) -> Iterator[str]:
    for path in placed.paths:
        yield f'<path class="{"wire" if path.wire.ports else "wire order"}" d="{_way(path.points)}"/>'
    for box in placed.boxes:
        yield f'<g class="{box.card.kind}">{_rect("", box.x, box.y, box.width, box.height, radius=12)}</g>'


def _scope(placed: Placed, x: float, y: float) -> Iterator[str]:
    for box in placed.boxes:
        if box.inner is not None:
            yield from _frame(box, box.inner, x, y)
    for path in placed.paths:
        yield _wire(path, x, y)
    for box in placed.boxes:
        if box.inner is None:
            yield from _card(box, x, y)
    for path in placed.paths:
        if path.wire.condition:
            yield _condition(path, x, y)


def _card(box: Box, x: float, y: float) -> Iterator[str]:
    card = box.card
    left, top, width, height = box.x + x, box.y + y, box.width, box.height
    yield f'<g class="card {card.kind}{" handler" if card.handler else ""}">'
    yield f"<title>{escape(_sentence(card))}</title>"
    yield _rect("paper", left, top, width, height)
    if card.kind == "melody":
        yield _rect("inner", left + 3, top + 3, width - 6, height - 6, radius=_RADIUS - 2)
    yield f'<rect class="bar" x="{left:g}" y="{top + _RADIUS:g}" width="3" height="{height - 2 * _RADIUS:g}"/>'
    drop = _UNDER_PILL if card.when else 0
    yield _text("name", left + 14, top + 24 + drop, _cut(card.id, _TITLE))
    yield _text("uses", left + 14, top + 41 + drop, _cut(card.uses, _LINE))
    if card.when:
        yield _pill(left + 12, top, f"when {card.when}")
    for number, glyph in enumerate(card.glyphs):
        shape, said = _GLYPHS[glyph]
        place = f"translate({left + 14 + 20 * number:g} {top + height - 18:g})"
        yield f'<g class="glyph" transform="{place}"><title>{said}</title><path d="{shape}"/></g>'
    yield "</g>"


def _frame(box: Box, inner: Placed, x: float, y: float) -> Iterator[str]:
    card = box.card
    left, top, width, height = box.x + x, box.y + y, box.width, box.height
    yield f'<g class="frame {card.frame}"><title>{escape(f"{card.id}: {card.bound}")}</title>'
    if card.frame == "map":
        yield _rect("behind", left + 8, top - 8, width, height)
        yield _rect("behind", left + 4, top - 4, width, height)
    yield _rect("paper", left, top, width, height)
    if card.frame == "loop":
        yield from _repeat(left + 5, top, height, 1)
        yield from _repeat(left + width - 5, top, height, -1)
    yield _text("name", left + 22, top + 21, card.id)
    bound = _cut(card.bound, max(12, int((width - 60 - 8 * len(card.id)) / 6.2)))
    yield _text("uses", left + 32 + 8.4 * len(card.id), top + 21, bound)
    yield "</g>"
    yield from _scope(inner, left + (width - inner.width) / 2, top + FRAME_HEAD - MARGIN)


def _repeat(x: float, top: float, height: float, side: int) -> Iterator[str]:
    """A repeat barline: a thick and a thin line, and two dots towards the inside."""
    middle = top + height / 2
    yield f'<path class="thick" d="M{x:g} {top + 1:g}v{height - 2:g}"/>'
    yield f'<path class="thin" d="M{x + 4 * side:g} {top + 1:g}v{height - 2:g}"/>'
    for offset in (-7, 7):
        yield f'<circle cx="{x + 10 * side:g}" cy="{middle + offset:g}" r="2"/>'


def _wire(path: Path, x: float, y: float) -> str:
    points = tuple((px + x, py + y) for px, py in path.points)
    kind = "wire" if path.wire.ports else "wire order"
    end_x, end_y = points[-1]
    head = f"M{end_x - 6:g} {end_y - 4:g}l6 4l-6 4"
    said = f"{path.wire.source} to {path.wire.target}: {', '.join(path.wire.ports) or 'order only'}"
    return f'<g class="{kind}"><title>{escape(said)}</title><path d="{_way(points)}"/><path class="head" d="{head}"/></g>'


def _way(points: Sequence[tuple[float, float]]) -> str:
    way = f"M{points[0][0]:g} {points[0][1]:g}"
    for (ax, ay), (bx, by) in pairwise(points):
        bend = max(20.0, (bx - ax) / 2)
        way += f"C{ax + bend:g} {ay:g} {bx - bend:g} {by:g} {bx:g} {by:g}"
    return way


def _condition(path: Path, x: float, y: float) -> str:
    (ax, ay), (bx, by) = path.points[-2:]
    width = pill_width(path.wire.condition)
    return _pill((ax + bx) / 2 + x - width / 2, (ay + by) / 2 + y, path.wire.condition)


def _pill(left: float, middle: float, text: str) -> str:
    width = pill_width(text)
    return (
        f'<g class="pill"><title>{escape(text)}</title>{_rect("", left, middle - 10, width, 20, radius=10)}'
        f"{_text('', left + 9, middle + 4, _cut(text, PILL_CHARACTERS))}</g>"
    )


def _sentence(card: Card) -> str:
    ports = f"; in: {', '.join(card.inputs)}" if card.inputs else ""
    given = f"; out: {', '.join(card.outputs)}" if card.outputs else ""
    return f"{card.id} ({card.uses}): {card.summary}{ports}{given}"


def _rect(kind: str, x: float, y: float, width: float, height: float, *, radius: float = _RADIUS) -> str:
    named = f'class="{kind}" ' if kind else ""
    return f'<rect {named}x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"/>'


def _text(kind: str, x: float, y: float, text: str) -> str:
    named = f'class="{kind}" ' if kind else ""
    return f'<text {named}x="{x:g}" y="{y:g}">{escape(text)}</text>'


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
