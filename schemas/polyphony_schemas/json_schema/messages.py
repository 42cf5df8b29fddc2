"""The library's validation errors in our words: got, expected, where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from polyphony_schemas.json_schema.finding import SchemaFinding, pointer_of, shown
from polyphony_schemas.names import did_you_mean

if TYPE_CHECKING:
    from jsonschema import ValidationError

_EXPECTED: Mapping[str, Callable[[object], str]] = {
    "enum": lambda rule: f"one of {_listed(rule)}",
    "const": shown,
    "pattern": lambda rule: f"text that matches {rule!r:.120}",
    "minimum": lambda rule: f"at least {rule}",
    "maximum": lambda rule: f"at most {rule}",
    "exclusiveMinimum": lambda rule: f"more than {rule}",
    "exclusiveMaximum": lambda rule: f"less than {rule}",
    "multipleOf": lambda rule: f"a multiple of {rule}",
    "minLength": lambda rule: f"at least {rule} characters",
    "maxLength": lambda rule: f"at most {rule} characters",
    "minItems": lambda rule: f"at least {rule} items",
    "maxItems": lambda rule: f"at most {rule} items",
    "minProperties": lambda rule: f"at least {rule} properties",
    "maxProperties": lambda rule: f"at most {rule} properties",
    "uniqueItems": lambda _: "items that differ",
    "contains": lambda _: "an item of the described kind",
    "not": lambda _: "a value that the schema under 'not' refuses",
    "anyOf": lambda _: "a value of one of the described kinds",
    "oneOf": lambda _: "a value of exactly one of the described kinds",
    "dependentRequired": lambda _: "the properties that belong together",
    "unevaluatedProperties": lambda _: "only described properties",
    "unevaluatedItems": lambda _: "only described items",
}


def to_finding(error: ValidationError) -> SchemaFinding:
    """One finding for ``error``; a failed choice also tells what came nearest."""
    path = list(error.absolute_path)
    keyword = error.validator if isinstance(error.validator, str) else ""
    if keyword == "required":
        return _missing(error, path)
    if keyword == "additionalProperties":
        return _unknown(error, path)
    got = shown(error.instance)
    expected = _expected(keyword, error.validator_value)
    nearest = _nearest(error) if keyword in ("anyOf", "oneOf") else ""
    return SchemaFinding(pointer_of(path), f"got {got}, expected {expected}{nearest}", got, expected)


def _expected(keyword: str, rule: object) -> str:
    if keyword == "type":
        names = rule if isinstance(rule, list) else [rule]
        return " or ".join(str(name) for name in names)
    if keyword in _EXPECTED:
        return _EXPECTED[keyword](rule)
    return "nothing here" if rule is False or not keyword else f"what {keyword!r} asks for"


def _missing(error: ValidationError, path: list[str | int]) -> SchemaFinding:
    rule = error.validator_value if isinstance(error.validator_value, list) else []
    instance = error.instance if isinstance(error.instance, dict) else {}
    names = [name for name in rule if name not in instance]
    missing = next(
        (name for name in names if error.message.startswith(repr(name))), names[0] if names else ""
    )
    message = f"got no property {missing!r}, expected it"
    return SchemaFinding(pointer_of(path), message, "no such property", f"the property {missing!r}")


def _unknown(error: ValidationError, path: list[str | int]) -> SchemaFinding:
    schema = error.schema if isinstance(error.schema, dict) else {}
    name = error.message
    known = schema.get("properties") or {}
    expected = f"one of {_listed(list(known))}" if known else "no properties"
    return SchemaFinding(
        pointer_of([*path, name]),
        f"got the unknown property {name[:80]!r}, expected {expected}",
        f"the property {name[:80]!r}",
        expected,
        hint=did_you_mean(name, known),
    )


def _nearest(error: ValidationError) -> str:
    """The failure of the alternative that got furthest into the value."""
    inner = sorted(
        error.context or (), key=lambda one: (-len(one.absolute_path), str(one.validator) == "type")
    )
    if not inner:
        return ""
    finding = to_finding(inner[0])
    place = f" at {finding.pointer}" if finding.pointer else ""
    return f"; nearest: {finding.message}{place}"


def _listed(rule: object) -> str:
    items = rule if isinstance(rule, list) else [rule]
    text = ", ".join(repr(item) for item in items[:12])[:300]
    return text + (", …" if len(items) > 12 else "")
