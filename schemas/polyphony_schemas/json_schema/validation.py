"""Validate a value: the library's keywords, with RE2 for its regular expressions and a budget for its work.

Without ``$ref`` the work is at most schema times value; with it a small schema can ask for 2^n steps, so every
keyword applied counts, and big values count more. Nothing is ever retrieved.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Protocol, cast

from polyphony_schemas.errors import ExpressionError, FormatError
from polyphony_schemas.expressions.sizes import measure, plain
from polyphony_schemas.json_schema import limits
from polyphony_schemas.json_schema.builtin import BUILTIN
from polyphony_schemas.json_schema.finding import SchemaFinding
from polyphony_schemas.json_schema.keywords import OutOfBudget, bounded, steps
from polyphony_schemas.json_schema.messages import to_finding
from polyphony_schemas.values import JsonObject, JsonValue

if TYPE_CHECKING:
    from jsonschema import ValidationError


class Validator(Protocol):
    """What is used of the library's validators."""

    def iter_errors(self, instance: object) -> Iterator[ValidationError]:
        """The errors of ``instance``."""


def validate(value: JsonValue, schema: JsonObject | bool) -> list[SchemaFinding]:
    """What is wrong with ``value`` under ``schema`` (bundled, see ``resolve_refs``), at most 50 findings.

    Raises FormatError (PLY1201 to PLY1205) when ``check_schema`` would refuse the schema.
    """
    if schema is True or schema == {}:
        return []
    try:
        measure(value, limit=limits.MAX_INSTANCE)
    except ExpressionError as error:
        return [SchemaFinding("", error.message, code=limits.TOO_MUCH_WORK, hint="pass big data as a file")]
    key = json.dumps(plain(schema), separators=(",", ":"))
    return _findings(_validator(key), plain(value))


def metaschema_findings(schema: object) -> list[SchemaFinding]:
    """What the metaschema of 2020-12 says about ``schema``."""
    findings = _findings(_metaschema_validator(), schema)
    return [
        SchemaFinding(f.pointer, f.message, f.got, f.expected, limits.NOT_A_SCHEMA, f.hint) for f in findings
    ]


def _findings(validator: Validator, value: object) -> list[SchemaFinding]:
    token = steps.set([limits.MAX_STEPS])
    findings: list[SchemaFinding] = []
    try:
        for error in validator.iter_errors(value):
            finding = to_finding(error)
            if finding not in findings:
                findings.append(finding)
            if len(findings) >= limits.MAX_FINDINGS:
                break
    except (OutOfBudget, RecursionError):
        message = "got a value and a schema that take too long to compare, expected fewer nested choices"
        hint = "simplify anyOf, allOf and recursive $ref in the schema"
        findings.append(SchemaFinding("", message, code=limits.TOO_MUCH_WORK, hint=hint))
    except (ArithmeticError, ValueError) as error:
        findings.append(SchemaFinding("", f"got a value that cannot be compared: {error}"))
    finally:
        steps.reset(token)
    return findings


@lru_cache(maxsize=512)
def _validator(text: str) -> Validator:
    from polyphony_schemas.json_schema.checking import check_schema

    schema = json.loads(text)
    wrong = check_schema(schema)
    if wrong:
        first = wrong[0]
        raise FormatError(first.code, str(first), hint=first.hint, details={"pointer": first.pointer})
    return _bounded_class()(schema, registry=_registry())


@cache
def _metaschema_validator() -> Validator:
    from jsonschema import Draft202012Validator
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]  # it has no types

    return cast("Validator", Draft202012Validator(Draft202012Validator.META_SCHEMA, registry=REGISTRY))


@cache
def _registry() -> object:
    import referencing.jsonschema

    resources = [
        (name, referencing.jsonschema.DRAFT202012.create_resource(plain(schema)))
        for name, schema in BUILTIN.items()
    ]
    return referencing.jsonschema.EMPTY_REGISTRY.with_resources(resources).crawl()


@cache
def _bounded_class() -> Callable[..., Validator]:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    keywords = bounded(Draft202012Validator.VALIDATORS)
    return cast("Callable[..., Validator]", extend(Draft202012Validator, keywords))  # type: ignore[no-untyped-call]  # the stubs leave it open
