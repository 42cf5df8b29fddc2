"""Is this a schema that we may use? All that is wrong with it, at once."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions.patterns import compile_pattern
from polyphony_schemas.expressions.sizes import measure, plain
from polyphony_schemas.json_schema import limits
from polyphony_schemas.json_schema.builtin import lookup
from polyphony_schemas.json_schema.bundling import RefError, resolve_refs
from polyphony_schemas.json_schema.finding import SchemaFinding, pointer_of, shown
from polyphony_schemas.json_schema.subschemas import Subschema, walk
from polyphony_schemas.names import did_you_mean
from polyphony_schemas.values import JsonObject, JsonValue

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REFUSED = {
    "$anchor": "name places by their path, like '#/$defs/name'",
    "$dynamicAnchor": "use $ref with a path, like '#/$defs/name'",
    "$dynamicRef": "use $ref with a path, like '#/$defs/name'",
    "$vocabulary": "leave it out",
    "$recursiveRef": "use $ref with a path, like '#/$defs/name'",
}
_KEYWORDS = frozenset(
    [
        "$anchor",
        "$comment",
        "$defs",
        "$dynamicAnchor",
        "$dynamicRef",
        "$id",
        "$ref",
        "$schema",
        "$vocabulary",
        "additionalProperties",
        "allOf",
        "anyOf",
        "const",
        "contains",
        "contentEncoding",
        "contentMediaType",
        "contentSchema",
        "default",
        "dependentRequired",
        "dependentSchemas",
        "deprecated",
        "description",
        "else",
        "enum",
        "examples",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "if",
        "items",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "not",
        "oneOf",
        "pattern",
        "patternProperties",
        "prefixItems",
        "properties",
        "propertyNames",
        "readOnly",
        "required",
        "then",
        "title",
        "type",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
        "writeOnly",
    ]  # a list of words
)


def check_schema(
    schema: object, *, file: str = "", files: Mapping[str, JsonValue] | None = None
) -> list[SchemaFinding]:
    """What keeps ``schema`` from being used, by place in it; empty when nothing.

    ``file`` and ``files`` as for ``resolve_refs``; a file that is referred to counts as part of the schema.
    """
    if isinstance(schema, bool):
        return []
    if not isinstance(schema, Mapping):
        return [
            _finding(limits.NOT_A_SCHEMA, (), f"got {shown(schema)}", "an object or a boolean", "write {}")
        ]
    sizes = list(_size(schema))
    if sizes:
        return sizes
    parts = list(walk(schema, limits.MAX_DEPTH, limits.MAX_SUBSCHEMAS))
    findings = [*_bounds(parts), *_metaschema(schema)]
    if findings:
        return findings
    findings = [*_keywords(parts), *_patterns(parts)]
    try:
        bundled = resolve_refs(schema, file=file, files=files)
    except RefError as error:
        return [*findings, SchemaFinding(error.pointer, error.message, code=error.code, hint=error.hint)]
    if isinstance(bundled, Mapping):
        findings.extend(_bundle(schema, bundled))
    return findings


def _bundle(schema: Mapping[str, object], bundled: JsonObject) -> Iterator[SchemaFinding]:
    """The checks that need the whole: what the files hold, and that every reference leads somewhere."""
    if _names(bundled) != _names(schema):
        yield from check_schema(bundled)
        return
    for part in walk(bundled, limits.MAX_DEPTH, limits.MAX_SUBSCHEMAS):
        reference = part.schema.get("$ref") if isinstance(part.schema, Mapping) else None
        if isinstance(reference, str) and lookup(reference, bundled) is None:
            yield _finding(
                limits.BAD_REF,
                (*part.path, "$ref"),
                f"got the reference {reference[:120]!r}, which leads to no schema",
                "the place of a schema",
                "check the path after '#'",
            )


def _names(schema: Mapping[str, object]) -> set[str]:
    definitions = schema.get("$defs")
    return set(definitions) if isinstance(definitions, Mapping) else set()


def _size(schema: Mapping[str, object]) -> Iterator[SchemaFinding]:
    hint = "split it over ports, or leave out titles and examples"
    try:
        measure(schema, limit=64 * limits.MAX_SCHEMA_BYTES)
        size = len(json.dumps(plain(schema), ensure_ascii=False, separators=(",", ":")).encode())
    except (ExpressionError, ValueError, TypeError):
        yield _finding(
            limits.TOO_BIG, (), "got a schema that is too big or too deep", "a small JSON schema", hint
        )
        return
    if size > limits.MAX_SCHEMA_BYTES:
        yield _finding(
            limits.TOO_BIG, (), f"got a schema of {size} bytes", f"at most {limits.MAX_SCHEMA_BYTES}", hint
        )


def _bounds(parts: list[Subschema]) -> Iterator[SchemaFinding]:
    if len(parts) > limits.MAX_SUBSCHEMAS:
        yield _finding(
            limits.TOO_BIG,
            (),
            f"got more than {limits.MAX_SUBSCHEMAS} schemas inside each other",
            "fewer",
            "describe the main parts only",
        )
    deep = next((part for part in parts if part.depth > limits.MAX_DEPTH), None)
    if deep:
        got, hint = f"got schemas nested deeper than {limits.MAX_DEPTH}", "move inner schemas to $defs"
        yield _finding(limits.TOO_BIG, deep.path, got, "a flatter schema", hint)


def _metaschema(schema: Mapping[str, object]) -> Iterator[SchemaFinding]:
    from polyphony_schemas.json_schema.validation import metaschema_findings

    dialect = schema.get("$schema", DIALECT)
    if dialect not in (DIALECT, DIALECT + "#"):
        yield _finding(
            limits.UNSUPPORTED,
            ("$schema",),
            f"got {shown(dialect)}",
            DIALECT,
            "write it in JSON Schema 2020-12",
        )
        return
    yield from metaschema_findings(plain(schema))


def _keywords(parts: list[Subschema]) -> Iterator[SchemaFinding]:
    unevaluated = None
    patterns = False
    for part in parts:
        if not isinstance(part.schema, Mapping):
            continue
        for key in part.schema:
            if key in _REFUSED:
                yield _finding(
                    limits.UNSUPPORTED, (*part.path, key), f"got {key}", "plain $ref", _REFUSED[key]
                )
            elif key == "$id" and part.path:
                yield _finding(
                    limits.UNSUPPORTED, (*part.path, key), "got $id inside", "$ref with a path", "remove it"
                )
            elif key not in _KEYWORDS and key != "definitions" and not key.startswith("x-"):
                hint = did_you_mean(key, _KEYWORDS) or "remove it, or start it with x-"
                yield _finding(
                    limits.UNSUPPORTED,
                    (*part.path, key),
                    f"got the unknown keyword {key[:80]!r}",
                    "2020-12",
                    hint,
                )
        patterns = patterns or "patternProperties" in part.schema
        if "unevaluatedProperties" in part.schema:
            unevaluated = part
    if unevaluated and patterns:
        yield _finding(
            limits.UNSUPPORTED,
            (*unevaluated.path, "unevaluatedProperties"),
            "got unevaluatedProperties together with patternProperties",
            "one of them",
            "use additionalProperties",
        )


def _patterns(parts: list[Subschema]) -> Iterator[SchemaFinding]:
    for part in parts:
        if not isinstance(part.schema, Mapping):
            continue
        named = part.schema.get("patternProperties")
        patterns: list[tuple[tuple[str, ...], object]] = [(("pattern",), part.schema.get("pattern"))]
        if isinstance(named, Mapping):
            patterns += [(("patternProperties", key), key) for key in named]
        for path, pattern in patterns:
            if not isinstance(pattern, str):
                continue
            try:
                compile_pattern(pattern)
            except ValueError as error:
                yield _finding(
                    limits.BAD_PATTERN,
                    (*part.path, *path),
                    f"got the pattern {pattern[:80]!r}, which RE2 refuses: {error}",
                    "RE2 syntax",
                    "RE2 has no backreferences or lookaround",
                )


def _finding(code: str, path: tuple[str | int, ...], got: str, expected: str, hint: str) -> SchemaFinding:
    return SchemaFinding(pointer_of(path), f"{got}, expected {expected}", got, expected, code, hint)
