from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.json_schema import incompatible, validate
from polyphony_schemas.values import JsonObject, JsonValue

STRING: JsonObject = {"type": "string"}
INTEGER: JsonObject = {"type": "integer"}
FILE: JsonObject = {"$ref": "urn:polyphony:file"}


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (STRING, INTEGER, "string never fits integer"),
        ({"type": ["string", "null"]}, {"type": ["integer", "boolean"]}, "string or null never fits integer or boolean"),
        ({"enum": ["a", "b"]}, {"enum": ["c"]}, "none of the string 'a', the string 'b' is one of the string 'c'"),
        ({"const": 1}, {"const": True}, "none of the number 1 is one of true"),
        ({"const": 1.5}, INTEGER, "none of the number 1.5 is of type integer"),
        (STRING, {"enum": [1]}, "none of the number 1 is of type string"),
        ({**STRING, "format": "path"}, FILE, "string never fits object"),
        (FILE, {"$ref": "urn:polyphony:directory"}, "a file is no directory"),
        ({"type": "array", "items": STRING}, {"type": "array", "items": INTEGER}, "at '[]' string never fits integer"),
        ({"type": "object", "additionalProperties": False}, {"type": "object", "required": ["a"]},
         "the target requires 'a', which the source forbids"),
        ({"type": "object", "required": ["a"]}, {"type": "object", "properties": {"a": False}},
         "the source requires 'a', which the target forbids"),
        ({"type": "object", "properties": {"a": {"$ref": "#/$defs/s"}}, "$defs": {"s": STRING}},
         {"type": "object", "required": ["a"], "properties": {"a": INTEGER}}, "at 'a' string never fits integer"),
        (False, {}, "the value is never allowed"),
    ],
)  # fmt: skip
def test_refuses_what_no_value_can_pass(
    source: JsonObject | bool, target: JsonObject | bool, reason: str
) -> None:
    assert incompatible(source, target) == reason


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ({}, STRING),
        (INTEGER, {"type": "number"}),
        ({"type": "number"}, INTEGER),
        ({"type": ["string", "null"]}, {"type": ["null", "integer"]}),
        ({"type": "object", "properties": {"a": STRING}}, {"type": "object", "properties": {"a": INTEGER}}),
        ({"type": ["object", "null"], "properties": {"a": STRING}},
         {"type": ["object", "null"], "required": ["a"], "properties": {"a": INTEGER}}),
        ({"type": "object", "additionalProperties": False, "patternProperties": {"^a": {}}},
         {"type": "object", "required": ["a"]}),
        ({"anyOf": [STRING]}, INTEGER),
        ({"format": "email", **STRING}, {"format": "path", **STRING}),
        ({"$ref": "#"}, STRING),
        ({"const": 1}, {"enum": [1.0]}),
    ],
)  # fmt: skip
def test_allows_the_rest(source: JsonObject, target: JsonObject) -> None:
    assert incompatible(source, target) is None


def test_looks_no_deeper_than_eight() -> None:
    source, target = STRING, INTEGER
    for _ in range(8):
        source, target = {"type": "array", "items": source}, {"type": "array", "items": target}
    assert incompatible(source, target)
    assert incompatible({"type": "array", "items": source}, {"type": "array", "items": target}) is None


leaves: st.SearchStrategy[JsonObject] = st.sampled_from(
    [STRING, INTEGER, {"type": "number"}, {"enum": [1, "a"]}, {"const": None}, {}]
)
schemas: st.SearchStrategy[JsonObject] = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda a, b, closed, required: {
            "type": "object", "properties": {"a": a, "b": b}, "additionalProperties": not closed, "required": required
        },
        inner, inner, st.booleans(), st.lists(st.sampled_from(["a", "b"]), unique=True),
    ),
    max_leaves=4,
)  # fmt: skip
values = st.recursive(
    st.sampled_from([None, 1, 2.5, "a", "x", True]),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c"]), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=200, deadline=None)
@given(schemas, schemas, values)
def test_a_refused_wire_lets_no_value_pass(source: JsonObject, target: JsonObject, value: JsonValue) -> None:
    if incompatible(source, target):
        assert validate(value, source) or validate(value, target)
