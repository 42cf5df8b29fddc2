"""Made-up values fit the schema they were made for."""

from __future__ import annotations

import pytest

from polyphony_schemas.json_schema import validate
from polyphony_schemas.json_schema.mocks import mock
from polyphony_schemas.values import JsonObject


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "minLength": 3},
        {"type": "integer", "minimum": 4},
        {"type": "integer", "exclusiveMinimum": 0},
        {"type": "number", "maximum": -2.5},
        {"type": "boolean"},
        {"type": ["null", "string"]},
        {"const": {"a": 1}},
        {"enum": ["x", "y"]},
        {"type": "array", "items": {"type": "integer"}, "minItems": 3},
        {"type": "array", "maxItems": 0},
        {"type": "object", "required": ["a"], "properties": {"a": {"type": "array", "items": {"enum": [2]}}}},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"allOf": [{"type": "object"}, {"required": ["k"], "properties": {"k": {"type": "string"}}}]},
        {"anyOf": [{"required": ["a"]}], "type": "object", "properties": {"a": {"const": 1}}},
        {"$ref": "urn:polyphony:sarif"},
        {"$ref": "urn:polyphony:junit"},
        {"$ref": "urn:polyphony:file"},
        {"type": "object", "properties": {"version": {"type": "string", "pattern": "^v"}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer", "minimum": 2}}},
        {},
    ],
)
def test_the_value_fits(schema: JsonObject) -> None:
    assert validate(mock(schema), schema) == []


def test_a_schema_that_refers_to_itself_gives_a_value() -> None:
    tree: JsonObject = {"type": "object", "properties": {"left": {"$ref": "#"}, "n": {"type": "integer"}}}
    found = mock(tree)
    assert isinstance(found, dict)
    assert validate(found, tree) == []
