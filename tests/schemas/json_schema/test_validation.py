from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from polyphony_schemas.errors import FormatError
from polyphony_schemas.json_schema import validate
from polyphony_schemas.values import JsonObject, JsonValue


def found(value: JsonValue, schema: JsonObject | bool) -> list[tuple[str, str]]:
    return [(finding.pointer, finding.message) for finding in validate(value, schema)]


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        (1, {"type": "string"}, [("", "got the number 1, expected string")]),
        ("x", {"type": ["integer", "null"]}, [("", "got the string 'x', expected integer or null")]),
        (3, {"enum": [1, 2]}, [("", "got the number 3, expected one of 1, 2")]),
        ({"a": [1, "x"]}, {"properties": {"a": {"items": {"type": "integer"}}}},
         [("/a/1", "got the string 'x', expected integer")]),
        ({}, {"required": ["a", "b"]},
         [("", "got no property 'a', expected it"), ("", "got no property 'b', expected it")]),
        ({"nam": 1}, {"properties": {"name": {}}, "additionalProperties": False},
         [("/nam", "got the unknown property 'nam', expected one of 'name'")]),
        ({"k1": 1, "z": 2}, {"patternProperties": {"^k": {"type": "string"}}, "additionalProperties": False},
         [("/k1", "got the number 1, expected string"), ("/z", "got the unknown property 'z', expected no properties")]),
        ([1, 1.0], {"uniqueItems": True}, [("", "got an array with 2 items, expected items that differ")]),
        ([1, True, [1], [True]], {"uniqueItems": True}, []),
        (2.0, {"type": "integer"}, []),
        (5, {"anyOf": [{"type": "string"}, {"type": "null"}]},
         [("", "got the number 5, expected a value of one of the described kinds; nearest: got the number 5, expected string")]),
        (3, False, [("", "got the number 3, expected nothing here")]),
        (3, True, []),
    ],
)  # fmt: skip
def test_says_what_was_got_and_expected(
    value: JsonValue, schema: JsonObject | bool, expected: list[tuple[str, str]]
) -> None:
    assert found(value, schema) == expected


def test_unknown_properties_hint_at_the_nearest() -> None:
    schema: JsonObject = {"properties": {"name": {}}, "additionalProperties": False}
    assert validate({"nam": 1}, schema)[0].hint == "did you mean 'name'?"


def test_shipped_schemas_check_artifacts_findings_and_test_reports() -> None:
    file: JsonValue = {"digest": "0" * 64, "name": "a.txt", "media_type": "text/plain", "size": 3}
    assert found(file, {"$ref": "urn:polyphony:file"}) == []
    assert found({"digest": "x"}, {"$ref": "urn:polyphony:directory"})
    sarif: JsonValue = {
        "version": "2.1.0",
        "runs": [
            {"tool": {"driver": {"name": "ruff"}}, "results": [{"ruleId": "E1", "message": {"text": "no"}}]}
        ],
    }
    assert found(sarif, {"$ref": "urn:polyphony:sarif"}) == []
    assert found({"version": "2.0.0", "runs": []}, {"$ref": "urn:polyphony:sarif"})
    report: JsonValue = {
        "tests": 1, "failures": 0, "errors": 0, "skipped": 0, "seconds": 0.5,
        "cases": [{"name": "test_a", "status": "passed", "seconds": 0.5}],
    }  # fmt: skip
    assert found(report, {"$ref": "urn:polyphony:junit"}) == []


def bomb(levels: int) -> JsonObject:
    definitions: dict[str, JsonValue] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(levels)
    }
    return {"$defs": {**definitions, f"d{levels}": {"type": "integer"}}, "$ref": "#/$defs/d0"}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (1, bomb(40)),
        (1, {"$ref": "#"}),
        ("x" * 16_000_000, {"allOf": [{"anyOf": [{"type": "integer"}] * 500}]}),
        ("x" * 17_000_000, {"type": "string"}),
        ([{"n": n} for n in range(20_000)], {"allOf": [{"uniqueItems": True}] * 400}),
    ],
)
def test_work_is_bounded(value: JsonValue, schema: JsonObject) -> None:
    started = time.process_time()
    assert [finding.code for finding in validate(value, schema)] == ["PLY1207"]
    assert time.process_time() - started < 15


def test_patterns_take_linear_time() -> None:
    started = time.process_time()
    assert validate("a" * 100_000 + "!", {"pattern": "^(a+)+$"})[0].code == "PLY1206"
    assert validate({"a" * 1_000 + "!": 1}, {"patternProperties": {"^(a+)+$": False}}) == []
    assert time.process_time() - started < 5


def test_a_value_nested_too_deep_is_refused() -> None:
    deep: JsonValue = []
    for _ in range(100_000):
        deep = [deep]
    assert validate(deep, {"items": {"$ref": "#"}})[0].code == "PLY1207"
    while isinstance(deep, list) and deep:  # taken apart here: the interpreter would recurse
        deep = deep.pop()


def test_findings_are_counted() -> None:
    assert len(validate(list(range(1_000)), {"items": {"type": "string"}})) == 50


def test_a_schema_that_breaks_the_rules_is_an_error_not_a_finding() -> None:
    with pytest.raises(FormatError) as caught:
        validate(1, {"$ref": "https://example.com/x"})
    assert caught.value.code == "PLY1203"


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)
    ),
    max_leaves=6,
)
schemas = st.recursive(
    st.sampled_from(
        [True, False, {"type": "string"}, {"type": ["integer", "object"]}, {"enum": [1, "a", None]}, {"minimum": 0},
         {"required": ["a"]}, {"pattern": "^a"}, {"uniqueItems": True}, {"maxLength": 1}]
    ),
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "items": inner, "additionalProperties": inner, "not": inner, "contains": inner,
            "properties": st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
            "anyOf": st.lists(inner, min_size=1, max_size=2), "allOf": st.lists(inner, min_size=1, max_size=2),
        },
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(values, schemas)
def test_agrees_with_the_library_about_valid_and_invalid(value: JsonValue, schema: JsonObject | bool) -> None:
    assert (validate(value, schema) == []) == Draft202012Validator(schema).is_valid(value)
