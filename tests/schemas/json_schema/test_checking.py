from __future__ import annotations

import pytest

from polyphony_schemas.json_schema import BUILTIN, check_schema, resolve_refs
from polyphony_schemas.json_schema.bundling import RefError
from polyphony_schemas.values import JsonValue


def nested(depth: int) -> dict[str, object]:
    schema: dict[str, object] = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        nested(31),
        {"type": ["string", "null"], "pattern": "^[a-z]+$", "x-note": 1, "format": "path"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#"}}}},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$id": "https://example.com/a",
            "$ref": "#",
        },
        {"$ref": "urn:polyphony:sarif#/$defs/result"},
        *BUILTIN.values(),
    ],
)
def test_takes_schemas_within_the_bounds(schema: object) -> None:
    assert check_schema(schema) == []


@pytest.mark.parametrize(
    ("schema", "code", "pointer"),
    [
        (3, "PLY1201", ""),
        ({"type": "strin"}, "PLY1201", "/type"),
        ({"properties": {"a": {"required": "b"}}}, "PLY1201", "/properties/a/required"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "PLY1205", "/$schema"),
        (nested(32), "PLY1202", "/items" * 32),
        (nested(100_000), "PLY1202", ""),
        ({"const": "x" * 70_000}, "PLY1202", ""),
        ({"properties": {f"p{n}": True for n in range(1_000)}}, "PLY1202", ""),
        ({"$ref": "https://example.com/schema.json"}, "PLY1203", "/$ref"),
        ({"items": {"$ref": "file:///etc/passwd"}}, "PLY1203", "/items/$ref"),
        ({"$ref": "/etc/passwd"}, "PLY1203", "/$ref"),
        ({"$ref": "../../outside.json"}, "PLY1203", "/$ref"),
        ({"$ref": "missing.json"}, "PLY1203", "/$ref"),
        ({"$ref": "#/$defs/nope"}, "PLY1203", "/$ref"),
        ({"$ref": "#anchor"}, "PLY1203", "/$ref"),
        ({"$ref": "urn:polyphony:fil"}, "PLY1203", "/$ref"),
        ({"$ref": "urn:polyphony:file#/nope"}, "PLY1203", "/$ref"),
        ({"pattern": "(?=a)b"}, "PLY1204", "/pattern"),
        ({"patternProperties": {"(a)\\1": True}}, "PLY1204", "/patternProperties/(a)\\1"),
        ({"$defs": {"a": {"$dynamicRef": "#"}}}, "PLY1205", "/$defs/a/$dynamicRef"),
        ({"items": {"$id": "x"}}, "PLY1205", "/items/$id"),
        ({"typ": "string"}, "PLY1205", "/typ"),
        ({"unevaluatedProperties": False, "patternProperties": {}}, "PLY1205", "/unevaluatedProperties"),
    ],
)
def test_refuses_with_code_and_place(schema: object, code: str, pointer: str) -> None:
    findings = check_schema(schema)
    assert (findings[0].code, findings[0].pointer) == (code, pointer)


def test_hints_at_the_nearest_keyword() -> None:
    assert check_schema({"propertys": {}})[0].hint == "did you mean 'properties'?"


def test_reports_all_findings() -> None:
    schema = {"typ": "x", "pattern": "(?=a)", "items": {"$ref": "nope.json"}}
    assert [finding.code for finding in check_schema(schema)] == ["PLY1205", "PLY1204", "PLY1203"]


FILES: dict[str, JsonValue] = {
    "schemas/review.json": {
        "$id": "https://example.com/review",
        "type": "object",
        "properties": {
            "next": {"$ref": "#"},
            "part": {"$ref": "common/part.json#/$defs/p"},
            "up": {"$ref": "../top.json"},
        },
    },
    "schemas/common/part.json": {"$defs": {"p": {"$ref": "#/$defs/q"}, "q": {"type": "string"}}},
    "top.json": {"$ref": "schemas/review.json"},
}


def test_bundles_files_relative_to_the_file_that_says_it() -> None:
    schema: dict[str, JsonValue] = {"$ref": "review.json"}
    assert check_schema(schema, file="schemas/extension.yaml", files=FILES) == []
    bundled = resolve_refs(schema, file="schemas/extension.yaml", files=FILES)
    review = "#/$defs/file:schemas~1review.json"
    assert bundled == {
        "$ref": review,
        "$defs": {
            "file:schemas/review.json": {
                "type": "object",
                "properties": {
                    "next": {"$ref": review},
                    "part": {"$ref": "#/$defs/file:schemas~1common~1part.json/$defs/p"},
                    "up": {"$ref": "#/$defs/file:top.json"},
                },
            },
            "file:schemas/common/part.json": {
                "$defs": {
                    "p": {"$ref": "#/$defs/file:schemas~1common~1part.json/$defs/q"},
                    "q": {"type": "string"},
                }
            },
            "file:top.json": {"$ref": review},
        },
    }
    assert check_schema(bundled) == []


class Unlisted(dict[str, JsonValue]):
    """Files of a folder that nobody should list."""

    def __len__(self) -> int:
        raise AssertionError("listed")


def test_files_are_not_listed_for_a_schema_that_refers_to_none() -> None:
    schema: dict[str, JsonValue] = {"type": "array", "items": {"type": "string"}}
    assert check_schema(schema, files=Unlisted()) == []
    assert resolve_refs(schema, files=Unlisted()) == schema


def test_checks_what_the_files_hold() -> None:
    files: dict[str, JsonValue] = {"a.json": {"pattern": "(?=x)"}}
    findings = check_schema({"$ref": "a.json"}, files=files)
    assert [(f.code, f.pointer) for f in findings] == [("PLY1204", "/$defs/file:a.json/pattern")]


def test_a_reference_out_of_the_package_is_refused_with_its_place() -> None:
    with pytest.raises(RefError) as caught:
        resolve_refs({"items": {"$ref": "../x.json"}}, file="extension.yaml", files=FILES)
    assert (caught.value.code, caught.value.pointer) == ("PLY1203", "/items/$ref")


def test_words_that_look_like_references_in_values_stay() -> None:
    schema: dict[str, JsonValue] = {
        "const": {"$ref": "http://example.com"},
        "properties": {"$ref": {"type": "string"}},
    }
    assert check_schema(schema) == []
    assert resolve_refs(schema) == schema
