"""What a node really gets: declared ∩ node ∩ ceiling, after evaluation (docs/melody.md).

- An extension that declares a concrete grant needs it: when node or ceiling lacks it, it is *missing* and the run
  is refused. ``granted`` takes whatever the node names.
- Where a node does not name a key, declared ∩ ceiling counts, except for ``secrets``, ``network`` and ``write``,
  which must stand at the node.
- ``outer`` cuts further: the grants of the nodes that use this melody as a sub-melody.

    >>> found = effective({"read": ("src",), "network": "granted"}, {"network": ("a.example:443",)}, {"read": (".",)})
    >>> found.grants
    {'read': ('src',)}
    >>> found.missing[0].line
    'network: ["a.example:443"]'
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from polyphony_schemas.permissions.items import (
    NAMED_AT_NODE,
    PATH_KEYS,
    PathLiesIn,
    covered,
    path_lies_in,
    text_of,
)
from polyphony_schemas.permissions.keys import PERMISSION_KEYS, Declared, Grants
from polyphony_schemas.values import JsonValue

Place = Literal["node", "config", "user of the melody"]


@dataclass(frozen=True, slots=True)
class Missing:
    """A grant that the extension needs and does not get; ``place`` is where the line has to be added."""

    key: str
    item: JsonValue
    place: Place

    @property
    def line(self) -> str:
        """The line to add."""
        return f"{self.key}: [{text_of(self.item)}]"

    def explain(self, node: str) -> str:
        """What is missing, for a message that names the node."""
        return f"node {node!r} needs {self.line}, which {_LACKING[self.place]}"


_LACKING = {
    "node": "its permissions do not name",
    "config": "config.permissions does not allow",
    "user of the melody": "the node that uses this melody does not pass on",
}


@dataclass(frozen=True, slots=True)
class Effective:
    """The grants of one node by key (keys without any left out), and what it needs in vain."""

    grants: Mapping[str, tuple[JsonValue, ...]]
    missing: tuple[Missing, ...]


def effective(
    declared: Declared,
    node: Grants,
    ceiling: Grants,
    *,
    outer: Sequence[Grants] = (),
    lies_in: PathLiesIn = path_lies_in,
) -> Effective:
    """Intersect evaluated grants; ``lies_in(path, grant)`` may resolve links."""
    grants: dict[str, tuple[JsonValue, ...]] = {}
    missing: list[Missing] = []
    for key in PERMISSION_KEYS:
        bounds: list[tuple[Place, Grants]] = [("config", ceiling)]
        bounds += [("user of the melody", grants_outside) for grants_outside in outer]
        if declared.get(key) != "granted" and (key in node or key in NAMED_AT_NODE):
            bounds.insert(0, ("node", node))
        kept: list[JsonValue] = []
        for item in _asked(key, declared, node):
            place = _first_that_lacks(key, item, bounds, lies_in)
            if place is None:
                kept.append(_with_node_form(key, item, node, lies_in))
            else:
                missing.append(Missing(key, item, place))
        if kept:
            grants[key] = tuple(kept)
    return Effective(grants, tuple(missing))


def _asked(key: str, declared: Declared, node: Grants) -> tuple[JsonValue, ...]:
    items = declared.get(key, ())
    return node.get(key, ()) if items == "granted" else tuple(items)


def _first_that_lacks(
    key: str, item: JsonValue, bounds: Sequence[tuple[Place, Grants]], lies_in: PathLiesIn
) -> Place | None:
    for place, grants in bounds:
        if not any(covered(key, item, grant, lies_in) for grant in grants.get(key, ())):
            return place
    return None


def _with_node_form(key: str, item: JsonValue, node: Grants, lies_in: PathLiesIn) -> JsonValue:
    """A path takes ``view`` or ``mode`` from the node's grant when that one says more than the extension's."""
    if key not in PATH_KEYS or isinstance(item, Mapping):
        return item
    for grant in node.get(key, ()):
        if isinstance(grant, Mapping) and covered(key, item, grant, lies_in):
            return {**grant, "path": item}
    return item
