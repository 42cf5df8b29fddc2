"""From a document that was read to its model: every problem at once, each with its place and how to mend it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from polyphony_schemas.documents.base import DocumentModel
from polyphony_schemas.documents.codes import (
    MISSING_KEY,
    SHAPE_CODES,
    UNKNOWN_KEY,
    WRONG_TYPE,
    WRONG_VALUE,
    Family,
    Rule,
)
from polyphony_schemas.documents.known_keys import is_tag, known_keys
from polyphony_schemas.json_schema.finding import pointer_of, shown
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.problems import Problem
from polyphony_schemas.yaml12 import Document

M = TypeVar("M", bound=DocumentModel)

# The value of a missing key, in errors: pydantic hands us the map around it.
_TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
    "tuple_type": "a list",
    "list_type": "a list",
    "json_value_type": "a JSON value",
    "none_required": "null",
}


def read_model(document: Document, model: type[M], family: Family) -> tuple[M | None, list[Problem]]:
    """The model of a document, or None with problems. ``family`` is the front of the codes."""
    try:
        return model.model_validate(document.value), []
    except ValidationError as error:
        problems = [_problem(document, model, family, found) for found in error.errors(include_url=False)]
        return None, list(dict.fromkeys(problems))


def _problem(
    document: Document, model: type[DocumentModel], family: Family, found: Mapping[str, Any]
) -> Problem:
    location: tuple[str | int, ...] = found["loc"]
    kind: str = found["type"]
    context: Mapping[str, Any] = found.get("ctx", {})
    at_key = bool(location) and location[-1] == "[key]"
    path = [part for part in (location[:-1] if at_key else location) if not is_tag(part)]
    if kind == "missing":
        name, path = str(path[-1]), path[:-1]
        return document.problem(
            SHAPE_CODES[family][MISSING_KEY],
            pointer_of(path),
            f"missing key {name!r}",
            got=f"the keys {', '.join(map(str, _keys_at(document.value, path))) or 'none'}",
            expected=name,
            hint=f"add {name}: …",
            at_key=True,
        )
    if kind == "extra_forbidden":
        return _unknown_key(document, model, family, location)
    if kind == "document":
        return document.problem(
            context.get("code") or SHAPE_CODES[family][context["rule"]],
            pointer_of(path),
            _with_expected(context["message"], context["expected"]),
            got=shown(found["input"]),
            expected=context["expected"],
            hint=context["hint"],
            at_key=at_key,
        )
    rule, expected, hint = _expected(kind, context, found)
    got = shown(found["input"])
    return document.problem(
        SHAPE_CODES[family][rule],
        pointer_of(path),
        f"got {got}, expected {expected}",
        got=got,
        expected=expected,
        hint=hint,
        at_key=at_key,
    )


def _with_expected(message: str, expected: str) -> str:
    return f"{message}, expected {expected}" if expected else message


def _unknown_key(
    document: Document, model: type[DocumentModel], family: Family, location: Sequence[str | int]
) -> Problem:
    key = str(location[-1])
    known = known_keys(model, location[:-1])
    expected = "one of " + ", ".join(known) if known else "no such key"
    return document.problem(
        SHAPE_CODES[family][UNKNOWN_KEY],
        pointer_of(part for part in location if not is_tag(part)),
        f"unknown key {key!r}, expected {expected}",
        got=key,
        expected=expected,
        hint=did_you_mean(key, known) or "remove it; keys of your own start with x-",
        at_key=True,
    )


def _keys_at(value: Any, path: Sequence[str | int]) -> list[str]:
    for part in path:
        value = value[part]
    return list(value) if isinstance(value, dict) else []


def _expected(kind: str, context: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Rule, str, str]:
    """The rule that is broken, what was expected, and a hint, for an error of pydantic's own."""
    value = found["input"]
    if kind in _TYPES:
        return WRONG_TYPE, _TYPES[kind], _type_hint(kind, value)
    match kind:
        case "literal_error":
            words = str(context["expected"])
            known = words.replace("'", "").replace(" or ", ", ").split(", ")
            return WRONG_VALUE, words, did_you_mean(str(value), known) if isinstance(value, str) else ""
        case "union_tag_invalid":
            forms = str(context["expected_tags"]).replace("'", "").replace("<", "").replace(">", "")
            return WRONG_TYPE, f"one of {forms}", ""
        case "greater_than_equal":
            return WRONG_VALUE, f"at least {context['ge']}", ""
        case "less_than_equal":
            return WRONG_VALUE, f"at most {context['le']}", ""
        case "too_short" | "string_too_short":
            return WRONG_VALUE, f"at least {context['min_length']} of it", ""
        case "too_long" | "string_too_long":
            return WRONG_VALUE, f"at most {context['max_length']} of it", ""
    message = str(found["msg"])
    return WRONG_VALUE, message[:1].lower() + message[1:], ""


def _type_hint(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, bool | int | float):
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return f'put it in quotes: "{written}"'
    if kind == "tuple_type" and isinstance(value, str | int | float):
        return f"write a list: [{value}]"
    if kind in ("int_type", "float_type") and isinstance(value, str) and value.strip().isdigit():
        return f"without quotes: {value.strip()}"
    return ""
