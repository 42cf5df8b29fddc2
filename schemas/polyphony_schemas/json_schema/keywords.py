"""The keywords of JSON Schema as we run them: every step is paid for, regular expressions are RE2's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from polyphony_schemas.expressions.patterns import compile_pattern
from polyphony_schemas.expressions.sizes import measure

if TYPE_CHECKING:
    from jsonschema import ValidationError


class Descender(Protocol):
    """What keywords need of the library's validator."""

    def descend(
        self, instance: object, schema: object, path: object = None, schema_path: object = None
    ) -> Iterator[ValidationError]:
        """The errors of a part of the value."""


Schema = Mapping[str, object]
Keyword = Callable[[Descender, object, object, Schema], "Iterator[ValidationError] | None"]


class OutOfBudget(Exception):  # noqa: N818  # control flow: the validation asked for too much
    """The steps of one validation are used up."""


steps: ContextVar[list[int]] = ContextVar("steps left for the validation under way")

_REFERENCE_STEPS = 16  # following a reference takes as long as so many plain keywords
_WHOLE_VALUE = frozenset({"const", "enum", "uniqueItems"})


def bounded(keywords: Mapping[str, Keyword]) -> dict[str, Keyword]:
    """The library's ``keywords``, with ours in place of those that use its regular expressions, all counted."""
    own: dict[str, Keyword] = {
        **keywords,
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    return {name: _counted(name, keyword) for name, keyword in own.items()}


def _counted(name: str, keyword: Keyword) -> Keyword:
    """``keyword``, paying for each call and for each error (whose text shows the whole value)."""

    def call(
        validator: Descender, rule: object, instance: object, schema: Schema
    ) -> Iterator[ValidationError]:
        size = len(instance) if isinstance(instance, (str, list, dict)) else 0
        if name == "patternProperties" and isinstance(rule, dict):
            size *= 8 * len(rule)
        _spend((_REFERENCE_STEPS if name == "$ref" else 1) + size // 8)
        if name in _WHOLE_VALUE:
            _spend(measure(instance) // 16)
        for error in keyword(validator, rule, instance, schema) or ():
            _spend(measure(instance) // 16)
            yield error

    return call


def _spend(amount: int) -> None:
    left = steps.get()
    left[0] -= amount
    if left[0] < 0:
        raise OutOfBudget


def _error(message: str) -> ValidationError:
    from jsonschema import ValidationError

    return ValidationError(message)


def _pattern(_: Descender, rule: object, instance: object, _schema: Schema) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not compile_pattern(str(rule)).search(instance):
        yield _error("does not match")


def _pattern_properties(
    validator: Descender, rule: object, instance: object, _schema: Schema
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict) or not isinstance(rule, dict):
        return
    for pattern, inner in rule.items():
        search = compile_pattern(pattern).search
        for key, value in instance.items():
            if search(key):
                yield from validator.descend(value, inner, path=key, schema_path=pattern)


def _additional_properties(
    validator: Descender, rule: object, instance: object, schema: Schema
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties"), schema.get("patternProperties")
    names = known if isinstance(known, dict) else {}
    searches = [compile_pattern(pattern).search for pattern in patterns] if isinstance(patterns, dict) else []
    for key, value in instance.items():
        if key in names or any(search(key) for search in searches):
            continue
        if rule is False:
            yield _error(key)
        else:
            yield from validator.descend(value, rule, path=key)


def _unique_items(_: Descender, rule: object, instance: object, _schema: Schema) -> Iterator[ValidationError]:
    if rule and isinstance(instance, list):
        texts = [json.dumps(_comparable(item), sort_keys=True) for item in instance]
        if len(set(texts)) < len(texts):
            yield _error("has equal items")


def _comparable(value: object) -> object:
    """``value`` so that equal JSON values (1 and 1.0) have equal texts."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: _comparable(item) for key, item in value.items()}
    return value
