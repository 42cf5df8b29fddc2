"""Finding host paths and artifacts among a node's values, guided by the schemas of its ports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal

from polyphony_schemas.values import JsonObject, JsonValue

Marked = Literal["path", "file", "folder"]
Replace = Callable[[Marked, JsonValue], JsonValue]

_REFERENCES: dict[str, Marked] = {"urn:polyphony:file": "file", "urn:polyphony:directory": "folder"}


def marked(schema: JsonValue) -> Marked | None:
    """Whether a schema says "this is a host path" or "this is an artifact"."""
    if not isinstance(schema, Mapping):
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference in _REFERENCES:
        return _REFERENCES[reference]
    return "path" if schema.get("format") == "path" else None


def replace_marked(value: JsonValue, schema: JsonValue, replace: Replace) -> JsonValue:
    """The value with every marked part replaced, through ``properties``, ``items`` and ``additionalProperties``."""
    kind = marked(schema)
    if kind is not None and value is not None:
        return replace(kind, value)
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, Mapping):
        return {key: replace_marked(item, _property(schema, key), replace) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = schema.get("items")
        return [replace_marked(item, items, replace) for item in value] if items else value
    return value


def _property(schema: JsonObject, key: str) -> JsonValue:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return properties[key]
    return schema.get("additionalProperties")


def has_mark(schema: JsonValue) -> bool:
    """Whether a schema marks anything at all, so that most values need no walk."""
    return any(True for _ in _marks(schema))


def _marks(schema: JsonValue) -> Iterator[Marked]:
    kind = marked(schema)
    if kind is not None:
        yield kind
    if isinstance(schema, Mapping):
        for key in ("properties", "items", "additionalProperties"):
            inner = schema.get(key)
            if key == "properties" and isinstance(inner, Mapping):
                for item in inner.values():
                    yield from _marks(item)
            else:
                yield from _marks(inner)
