"""A value that a JSON Schema allows, as plain as can be: for previews, where nothing is executed.

>>> mock({"type": "object", "required": ["count"], "properties": {"count": {"type": "integer", "minimum": 1}}})
{'count': 1}
>>> mock({"type": "array", "items": {"enum": ["a", "b"]}})
['a']

Constants, enumerations, examples and defaults go first. Members that are optional are made up too, unless one of them
would not fit. A pattern cannot be met: such a value is the empty text, and whoever needs another one pins it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from polyphony_schemas.json_schema.builtin import BUILTIN, PREFIX, lookup
from polyphony_schemas.json_schema.validation import validate
from polyphony_schemas.values import JsonObject, JsonValue

_DEPTH: Final = 12
_MOST_ITEMS: Final = 100
_MOST_CHARACTERS: Final = 10_000
_ARTIFACTS: Final[Mapping[str, str]] = {
    f"{PREFIX}file": "application/octet-stream",
    f"{PREFIX}directory": "inode/directory",
}


def mock(schema: JsonObject) -> JsonValue:
    """The value; null where nothing is said, and below a depth of twelve."""
    whole = _Maker(schema, optional=True).value(schema, _DEPTH)
    return whole if not validate(whole, schema) else _Maker(schema, optional=False).value(schema, _DEPTH)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes values of one bundled schema (``root``); ``optional``: members that are not required too."""

    root: JsonObject
    optional: bool

    def value(self, schema: JsonValue, depth: int) -> JsonValue:
        if not isinstance(schema, Mapping) or depth == 0:
            return None
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return self._referred(reference, depth)
        for key in ("const", "default"):
            if key in schema:
                return schema[key]
        for key in ("enum", "examples"):
            if known := _items(schema, key):
                return known[0]
        for key in ("oneOf", "anyOf", "allOf"):
            if choices := _items(schema, key):
                rest = {name: value for name, value in schema.items() if name != key}
                return self.value(_merged([rest, *(choices if key == "allOf" else choices[:1])]), depth - 1)
        return self._of_type(schema, depth)

    def _referred(self, reference: str, depth: int) -> JsonValue:
        if reference in _ARTIFACTS:
            return {"digest": "0" * 64, "name": "mock", "media_type": _ARTIFACTS[reference], "size": 0}
        if reference in BUILTIN:
            return _Maker(BUILTIN[reference], self.optional).value(BUILTIN[reference], depth - 1)
        return self.value(lookup(reference, self.root), depth - 1)

    def _of_type(self, schema: JsonObject, depth: int) -> JsonValue:
        wanted = schema.get("type")
        names = _items(schema, "type")
        match names[0] if names else wanted:
            case "object":
                return self._object(schema, depth)
            case "array":
                return self._array(schema, depth)
            case "string":
                length = schema.get("minLength")
                return "x" * min(length, _MOST_CHARACTERS) if isinstance(length, int) else ""
            case "integer" | "number":
                return _number(schema)
            case "boolean":
                return False
            case None if "properties" in schema or "required" in schema:
                return self._object(schema, depth)
            case _:
                return None

    def _object(self, schema: JsonObject, depth: int) -> dict[str, JsonValue]:
        properties = schema.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        names = [str(name) for name in _items(schema, "required")]
        if self.optional:
            names += known
        return {name: self.value(known.get(name, {}), depth - 1) for name in dict.fromkeys(names)}

    def _array(self, schema: JsonObject, depth: int) -> list[JsonValue]:
        least, most = schema.get("minItems"), schema.get("maxItems")
        count = max(1, least if isinstance(least, int) else 1)
        if isinstance(most, int):
            count = min(count, most)
        items = schema.get("items", {})
        return [self.value(items, depth - 1) for _ in range(min(count, _MOST_ITEMS))]


def _items(schema: JsonObject, key: str) -> Sequence[JsonValue]:
    """The list under a key, empty when there is none."""
    found = schema.get(key)
    return found if isinstance(found, Sequence) and not isinstance(found, str) else ()


def _merged(parts: Sequence[JsonValue]) -> JsonObject:
    """One schema that says what all parts say; of two that contradict each other the later one counts."""
    made: dict[str, JsonValue] = {}
    for part in parts:
        if not isinstance(part, Mapping):
            continue
        properties, required = made.get("properties"), _items(made, "required")
        made |= part
        more = part.get("properties")
        if isinstance(properties, Mapping) and isinstance(more, Mapping):
            made["properties"] = {**properties, **more}
        if required:
            made["required"] = [*required, *_items(part, "required")]
    return made


def _number(schema: JsonObject) -> JsonValue:
    least, above, most = (schema.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))
    if isinstance(least, (int, float)) and least > 0:
        return least
    if isinstance(above, (int, float)) and above >= 0:
        return int(above) + 1
    if isinstance(most, (int, float)) and most < 0:
        return most
    return 0
