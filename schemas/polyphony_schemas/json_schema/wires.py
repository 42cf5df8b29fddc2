"""May a value of one port pass into another? Only what *no* value can pass is refused; the rest shows at run time.

Refused: disjoint types (integer is a number), disjoint enum or const, different formats among path, file and
directory, a property one side requires and the other forbids or describes incompatibly, and the same for items
(an empty list aside), to depth 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from polyphony_schemas.json_schema import limits
from polyphony_schemas.json_schema.builtin import lookup
from polyphony_schemas.json_schema.finding import shown
from polyphony_schemas.values import JsonObject

ALL_TYPES: Final = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
FILE_FORMATS: Final = frozenset({"path", "file", "directory"})

Schema = JsonObject | bool


def incompatible(source: Schema, target: Schema) -> str | None:
    """Why no value of ``source`` can be valid under ``target`` (both bundled); None when one may be.

    >>> incompatible({"type": "string"}, {"type": ["integer", "null"]})
    'string never fits integer or null'
    >>> incompatible({"type": "integer"}, {"type": "number"}) is None
    True
    """
    return _clash(source, target, (source, target), "", 0)


def _clash(source: object, target: object, roots: tuple[object, object], at: str, depth: int) -> str | None:
    left, right = _rules(source, roots[0]), _rules(target, roots[1])
    if left is False or right is False:
        return f"{at or 'the value'} is never allowed"
    if not (isinstance(left, Mapping) and isinstance(right, Mapping)) or depth > limits.MAX_WIRE_DEPTH:
        return None
    shared = _types(left) & _types(right)
    if not shared:
        return f"{_where(at)}{_words(left)} never fits {_words(right)}"
    reason = _values(left, right, at) or _formats(left, right, at)
    if reason:
        return reason
    if shared == {"object"}:
        return _objects(left, right, roots, at, depth)
    if shared == {"array"} and "items" in left and "items" in right:
        return _clash(left["items"], right["items"], roots, f"{at}[]", depth + 1)
    return None


def _rules(schema: object, root: object) -> JsonObject | bool | None:
    """The rules of ``schema``, references followed; None when they say nothing."""
    for _ in range(limits.MAX_WIRE_DEPTH):
        if schema is False:
            return False
        if not isinstance(schema, Mapping):
            return None
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = lookup(reference, root)
    return None


def _types(schema: JsonObject) -> frozenset[str]:
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else declared
    if not isinstance(names, Sequence):
        return ALL_TYPES
    types = frozenset(str(name) for name in names)
    return types | {"integer"} if "number" in types else types


def _values(left: JsonObject, right: JsonObject, at: str) -> str | None:
    """Whether the values that one side lists all miss the other side's list or types."""
    ours, theirs = _listed(left), _listed(right)
    if ours is not None and theirs is not None:
        if not any(_same(one, other) for one in ours for other in theirs):
            return f"{_where(at)}none of {_some(ours)} is one of {_some(theirs)}"
        return None
    for values, schema in ((ours, right), (theirs, left)):
        if values is not None and not any(_type(value) & _types(schema) for value in values):
            return f"{_where(at)}none of {_some(values)} is of type {_words(schema)}"
    return None


def _listed(schema: JsonObject) -> list[object] | None:
    if "const" in schema:
        return [schema["const"]]
    values = schema.get("enum")
    return list(values) if isinstance(values, Sequence) and not isinstance(values, str) else None


def _formats(left: JsonObject, right: JsonObject, at: str) -> str | None:
    ours = left.get("format")
    theirs = right.get("format")
    if ours in FILE_FORMATS and theirs in FILE_FORMATS and ours != theirs:
        return f"{_where(at)}a {ours} is no {theirs}"
    return None


def _objects(
    left: JsonObject, right: JsonObject, roots: tuple[object, object], at: str, depth: int
) -> str | None:
    required = dict.fromkeys([*_required(right), *_required(left)])
    for name in required:
        ours, theirs = _property(left, name), _property(right, name)
        where = f"{at}.{name}" if at else name
        if ours is False or theirs is False:
            who, other = ("source", "target") if ours is False else ("target", "source")
            return f"the {other} requires {where!r}, which the {who} forbids"
        reason = _clash(ours, theirs, roots, where, depth + 1)
        if reason:
            return reason
    return None


def _required(schema: JsonObject) -> list[str]:
    names = schema.get("required")
    return [str(name) for name in names] if isinstance(names, Sequence) and not isinstance(names, str) else []


def _property(schema: JsonObject, name: str) -> object:
    """What ``schema`` says about a property: its schema, False when it is forbidden, None when nothing."""
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and name in properties:
        return properties[name]
    return None if schema.get("patternProperties") else schema.get("additionalProperties")


def _type(value: object) -> frozenset[str]:
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"integer", "number"} if value.is_integer() else {"number"})
        case str():
            return frozenset({"string"})
    return frozenset({"object"} if isinstance(value, Mapping) else {"array"})


def _same(one: object, other: object) -> bool:
    """Equality of JSON: true is not 1."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _words(schema: JsonObject) -> str:
    declared = schema.get("type")
    names = [declared] if isinstance(declared, str) else declared
    if not isinstance(names, Sequence):
        return "any value"
    return " or ".join(str(name) for name in names)


def _some(values: list[object]) -> str:
    return ", ".join(shown(value) for value in values[:6]) + (", …" if len(values) > 6 else "")


def _where(at: str) -> str:
    return f"at {at!r} " if at else ""
