from __future__ import annotations

import gc
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import compile_expression, evaluate, evaluation, typed
from polyphony_schemas.values import JsonObject, JsonValue

NODES = ("a", "b")
NAMES = ("inputs", "l", "s")


def value(text: str, **environment: JsonValue) -> JsonValue:
    return evaluate(compile_expression(text, nodes=NODES, names=NAMES), environment)


def refused(text: str, **environment: JsonValue) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(text, **environment)
    assert caught.value.hint
    return caught.value


def test_reading_a_port_without_a_value_is_an_error_that_names_it() -> None:
    environments: list[dict[str, JsonValue]] = [{}, {"a": {}}, {"a": {"m": 1}}]
    for environment in environments:
        error = refused("a.n > 1", **environment)
        assert (error.code, error.details) == ("PLY1108", {"node": "a", "port": "n"})


def test_has_asks_whether_a_port_brought_a_value() -> None:
    assert value("has(a.n)") is False
    assert value("has(a.n)", a={"n": None}) is True
    assert value("has(a.n) && a.n > 3") is False
    assert value("has(a.n) ? a.n : 7") == 7
    assert value("has(a.n.x)", a={"n": {}}) is False


def test_the_other_side_of_and_and_or_may_decide() -> None:
    assert value("a.n == 1 || true") is True
    assert value("false && a.n == 1") is False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("l.map(x, x * 2)", [2, 4, 6]),
        ("l.map(x, x > 1, x * 2)", [4, 6]),
        ("l.filter(x, x != 2)", [1, 3]),
        ("l.all(x, x > 0) && !l.all(x, x > 1)", True),
        ("l.exists(x, x == 3) && !l.exists(x, x == 4)", True),
        ("l.exists_one(x, x > 2) && !l.exists_one(x, x > 1)", True),
        ("l.map(x, l.filter(y, y > x))", [[2, 3], [3], []]),
        ("l.map(x, l.map(y, x * y + a.n))", [[11, 12, 13], [12, 14, 16], [13, 16, 19]]),
        ("l.map(x, x + 1).filter(x, x > 2).map(x, x * x)", [9, 16]),
        ("l.map(x, [x].map(x, x + 1)[0] + x)", [3, 5, 7]),
        ("{'p': 1, 'q': 2}.filter(k, k == 'q')", ["q"]),
        ("l.exists(x, 1 / (x - 1) == 1)", True),
        ("l.all(x, 1 / (x - 1) == 7)", False),
        ("size('héé') + size(l) + {'a': 1}.size()", 7),
        ("a.n in [10] ? 'yes' : 'no'", "yes"),
        ("{'k': [1.5, null, true, 'x']}", {"k": [1.5, None, True, "x"]}),
        ("-9223372036854775808", -(2**63)),
        ("// a comment\n1 +\n  1", 2),
    ],
)
def test_evaluates(text: str, expected: JsonValue) -> None:
    assert value(text, l=[1, 2, 3], a={"n": 10}) == expected


@pytest.mark.parametrize(
    "text",
    ["1 / 0", "l[5]", "l.nope", "1 + 1.0", "'a' + 1", "int('x')", "9223372036854775807 + 1", "1 ? 2 : 3",
     "l.map(x, 1 / 0)", "s.map(x, x)", "l.all(x, x)", "size(1)", "'a'.matches('(?=b)')", "timestamp('x')"],
)  # fmt: skip
def test_failures_are_expression_errors(text: str) -> None:
    assert refused(text, l=[1], s="text").code == "PLY1107"


@pytest.mark.parametrize(
    "text", ["1.0 / 0.0", "timestamp('2026-01-01T00:00:00Z')", "duration('1h')", "{1: 2}", "[[{true: 1}]]"]
)
def test_results_that_are_no_json_are_refused(text: str) -> None:
    assert refused(text).code == "PLY1109"


def test_nothing_is_printed_when_a_function_fails(capfd: pytest.CaptureFixture[str]) -> None:
    refused("l.map(x, 1 / 0)", l=[1])
    assert capfd.readouterr() == ("", "")


def test_a_macro_walks_ten_thousand_items_and_not_one_more() -> None:
    assert value("size(l.map(x, x + 1))", l=list(range(10_000))) == 10_000
    assert refused("l.map(x, x)", l=list(range(10_001))).code == "PLY1106"
    assert refused("(l + l).all(x, true) || true", l=list(range(5_001))).code == "PLY1106"


def test_two_nested_macros_go_a_hundred_thousand_rounds_and_not_one_more() -> None:
    assert value("l.all(x, s.all(y, true))", l=list(range(10)), s=list(range(10_000))) is True
    assert refused("l.all(x, s.all(y, true))", l=list(range(11)), s=list(range(10_000))).code == "PLY1106"


@pytest.mark.parametrize(
    "text",
    [
        "l.map(x, x + x)" + ".map(x, x + x)" * 15,
        "l.map(x, [x, x, x, x])" + ".map(x, [x, x, x, x])" * 10,
        "[s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s, s].map(x, [s, s, s, s, s, s, s, s, s])",
        "inputs.many.map(x, inputs.many)",
        "inputs.many.map(x, inputs.many.map(y, s))",
        "inputs.many.filter(x, x in inputs.many)",
    ],
)
def test_values_that_grow_are_stopped_soon(text: str) -> None:
    started = time.process_time()
    error = refused(text, l=["a" * 1000], s="b" * 1_000_000, inputs={"many": list(range(9_000))})
    assert error.code == "PLY1106"
    assert time.process_time() - started < 20


def test_a_result_over_one_mebibyte_is_refused() -> None:
    assert len(str(value("s + s", s="x" * 500_000))) == 1_000_000
    assert refused("s + s", s="é" * 300_000).code == "PLY1106"


def test_a_value_nested_too_deep_is_refused_before_the_library_sees_it() -> None:
    deep: JsonValue = []
    for _ in range(100_000):
        deep = [deep]
    assert refused("inputs.deep == []", inputs={"deep": deep}).code == "PLY1106"
    assert value("inputs.n", inputs={"deep": deep, "n": 1}) == 1
    while isinstance(deep, list) and deep:  # taken apart here: the interpreter would recurse
        deep = deep.pop()


def test_regular_expressions_take_linear_time() -> None:
    started = time.process_time()
    assert value("s.matches('^(a+)+$')", s="a" * 100_000 + "!") is False
    assert time.process_time() - started < 5
    assert refused("s.matches(s)", s="a" * 2_000).code == "PLY1106"


def test_integers_beyond_64_bits_are_refused() -> None:
    assert refused("inputs.n", inputs={"n": 2**63}).code == "PLY1106"


def test_numbers_follow_the_declared_type() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {"i": {"type": "integer"}, "d": {"type": "number"}, "r": {"$ref": "#/$defs/n"}},
        "additionalProperties": {"type": "array", "items": {"type": ["number", "null"]}},
        "$defs": {"n": {"type": ["integer", "null"]}},
    }
    given_value: JsonValue = {"i": 2.0, "d": 2, "r": 3.0, "x": [1, None, 2.5], "b": True}
    result = typed(given_value, schema)
    assert result == {"i": 2, "d": 2.0, "r": 3, "x": [1.0, None, 2.5], "b": True}
    assert isinstance(result, dict)
    assert [type(result[key]) for key in ("i", "d", "r", "b")] == [int, float, int, bool]
    assert value("inputs.i + 1", inputs=result) == 3


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(json_values)
def test_json_values_pass_through_unchanged(given_value: JsonValue) -> None:
    assert value("inputs.v", inputs={"v": given_value}) == given_value
    assert value("[inputs.v].map(x, x)", inputs={"v": given_value}) == [given_value]
    assert value("[inputs.v] == [inputs.v].filter(x, true)", inputs={"v": given_value}) is True


def test_an_interrupt_inside_a_macro_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(evaluation, "_size", interrupted)
    for text in ("l.map(x, size(x))", "l.exists(x, size(x) > 0) || true"):
        with pytest.raises(KeyboardInterrupt):
            value(text, l=["a"])


def test_an_evaluation_leaves_nothing_in_memory() -> None:
    """The library's memory is none that the collector sees: what circles through it would stay for ever."""

    def kept() -> int:
        gc.collect()
        return sum(type(found).__name__ == "_Evaluation" for found in gc.get_objects())

    before = kept()
    for number in range(50):
        assert value("[1, 2].map(i, i + inputs.n)", inputs={"n": number}) == [1 + number, 2 + number]
    assert kept() == before
