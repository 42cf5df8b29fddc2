"""A value that a JSON Schema allows, as plain as can be: for previews, where nothing is executed.

>>> mock({"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 1}}})
{'count': 1}
>>> mock({"type": "array", "items": {"enum": ["a", "b"]}})
['a']

Constants, enumerations, examples and defaults go first. A pattern cannot be met: such a value is the empty text, and
whoever needs another one pins it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from polyphony_schemas.values import JsonObject, JsonValue

_DEPTH: Final = 8
_MOST_ITEMS: Final = 100
_NO_DIGEST: Final = "0" * 64
_ARTIFACTS: Final[Mapping[str, str]] = {
    "urn:polyphony:file": "application/octet-stream",
    "urn:polyphony:directory": "inode/directory",
}


def mock(schema: JsonObject, depth: int = _DEPTH) -> JsonValue:
    """The value; null where nothing is said, and below the depth of eight."""
    if depth == 0:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference in _ARTIFACTS:
        return {"digest": _NO_DIGEST, "name": "mock", "media_type": _ARTIFACTS[reference], "size": 0}
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("enum", "examples"):
        known = schema.get(key)
        if isinstance(known, Sequence) and known and not isinstance(known, str):
            return known[0]
    for key in ("oneOf", "anyOf", "allOf"):
        choices = schema.get(key)
        if isinstance(choices, Sequence) and not isinstance(choices, str):
            return _of_choices(schema, [one for one in choices if isinstance(one, Mapping)], key, depth)
    return _of_type(schema, depth)


def _of_choices(schema: JsonObject, choices: Sequence[JsonObject], key: str, depth: int) -> JsonValue:
    rest = {name: value for name, value in schema.items() if name != key}
    if key != "allOf":
        return mock({**rest, **choices[0]} if choices else rest, depth - 1)
    merged: dict[str, JsonValue] = dict(rest)
    for one in choices:
        merged |= one
    return mock(merged, depth - 1)


def _of_type(schema: JsonObject, depth: int) -> JsonValue:
    wanted = schema.get("type")
    if isinstance(wanted, Sequence) and not isinstance(wanted, str) and wanted:
        wanted = wanted[0]
    match wanted:
        case "object":
            return _object(schema, depth)
        case "array":
            return _array(schema, depth)
        case "string":
            length = schema.get("minLength")
            return "x" * min(length, 10_000) if isinstance(length, int) else ""
        case "integer" | "number":
            return _number(schema)
        case "boolean":
            return False
        case None if "properties" in schema:
            return _object(schema, depth)
        case _:
            return None


def _object(schema: JsonObject, depth: int) -> dict[str, JsonValue]:
    properties, required = schema.get("properties"), schema.get("required")
    known = properties if isinstance(properties, Mapping) else {}
    names = [str(name) for name in required] if isinstance(required, (list, tuple)) else []
    found: dict[str, JsonValue] = {}
    for name in dict.fromkeys([*names, *known]):
        inner = known.get(name, {})
        found[name] = mock(inner, depth - 1) if isinstance(inner, Mapping) else None
    return found


def _array(schema: JsonObject, depth: int) -> list[JsonValue]:
    items, least, most = schema.get("items"), schema.get("minItems"), schema.get("maxItems")
    count = max(1, least if isinstance(least, int) else 1)
    if isinstance(most, int):
        count = min(count, most)
    inner = items if isinstance(items, Mapping) else {}
    return [mock(inner, depth - 1) for _ in range(min(count, _MOST_ITEMS))]


def _number(schema: JsonObject) -> JsonValue:
    least, above, most = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if isinstance(least, (int, float)) and least > 0:
        return least
    if isinstance(above, (int, float)) and above >= 0:
        return int(above) + 1
    if isinstance(most, (int, float)) and most < 0:
        return most
    return 0
