"""Where schemas stand inside schemas (JSON Schema 2020-12, core and applicator vocabularies)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

ONE: Final = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
MANY: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED: Final = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})


@dataclass(frozen=True, slots=True)
class Subschema:
    """A schema at ``path`` inside another, ``depth`` schemas deep."""

    path: tuple[str | int, ...]
    schema: object
    depth: int


def children(schema: Mapping[str, object]) -> Iterator[tuple[tuple[str | int, ...], object]]:
    """The schemas directly inside ``schema``, with their path from it."""
    for key, value in schema.items():
        if key in ONE:
            yield (key,), value
        elif key in MANY and isinstance(value, Sequence) and not isinstance(value, str):
            yield from (((key, index), item) for index, item in enumerate(value))
        elif key in NAMED and isinstance(value, Mapping):
            yield from (((key, name), item) for name, item in value.items())


def walk(schema: object, max_depth: int, max_count: int) -> Iterator[Subschema]:
    """``schema`` and all schemas inside, outer first, stopping one past ``max_depth`` and ``max_count``."""
    pending = [Subschema((), schema, 1)]
    count = 0
    while pending and count <= max_count:
        here = pending.pop(0)
        count += 1
        yield here
        if isinstance(here.schema, Mapping) and here.depth <= max_depth:
            pending.extend(
                Subschema((*here.path, *path), inner, here.depth + 1) for path, inner in children(here.schema)
            )
