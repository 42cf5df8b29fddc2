"""Numbers by their declared type: what is `integer` in a schema becomes int, what is `number` double.

Where nothing is declared, a number keeps what JSON gave it: neither fraction nor exponent is int.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from polyphony_schemas.values import JsonObject, JsonValue

_MAX_DEPTH = 64


def typed(value: JsonValue, schema: JsonObject | bool) -> JsonValue:
    """``value`` with its numbers as ``schema`` declares them, recursively.

    >>> typed({"n": 2.0, "x": 3}, {"properties": {"n": {"type": "integer"}, "x": {"type": "number"}}})
    {'n': 2, 'x': 3.0}
    """
    return _typed(value, schema, schema, 0)


def _typed(value: JsonValue, schema: object, root: object, depth: int) -> JsonValue:
    rules = _resolve(schema, root)
    if not rules or depth > _MAX_DEPTH:
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _number(value, rules.get("type"))
    if isinstance(value, Mapping):
        return _object(value, rules, root, depth)
    if isinstance(value, Sequence) and not isinstance(value, str):
        first = rules.get("prefixItems")
        prefix = first if isinstance(first, Sequence) and not isinstance(first, str) else ()
        rest = rules.get("items")
        return [
            _typed(item, prefix[index] if index < len(prefix) else rest, root, depth + 1)
            for index, item in enumerate(value)
        ]
    return value


def _object(value: JsonObject, rules: JsonObject, root: object, depth: int) -> JsonValue:
    properties = rules.get("properties")
    known = properties if isinstance(properties, Mapping) else {}
    rest = rules.get("additionalProperties")
    return {key: _typed(item, known.get(key, rest), root, depth + 1) for key, item in value.items()}


def _number(value: float, declared: JsonValue) -> int | float:
    types = (declared,) if isinstance(declared, str) else declared
    if not isinstance(types, Sequence):
        return value
    if "number" in types:
        return float(value)
    if "integer" in types and float(value).is_integer():
        return int(value)
    return value


def _resolve(schema: object, root: object) -> JsonObject | None:
    """The rules of ``schema``, following local references a few steps."""
    for _ in range(8):
        if not isinstance(schema, Mapping):
            return None
        target = schema.get("$ref")
        if not isinstance(target, str) or not target.startswith("#"):
            return schema
        schema = _at(root, target[1:])
    return None


def _at(root: object, pointer: str) -> object:
    here = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(here, Mapping):
            return None
        here = here.get(key)
    return here
