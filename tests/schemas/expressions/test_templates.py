from __future__ import annotations

import pytest

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import evaluate_template, parse_template, references, refuse_markers
from polyphony_schemas.expressions.templates import TemplateProblem
from polyphony_schemas.graph.model import Template
from polyphony_schemas.values import JsonValue


def parsed(value: JsonValue) -> Template:
    return parse_template(value, nodes=("a", "b"), names=("inputs",), pointer="/with")


def test_a_string_that_is_wholly_an_expression_keeps_its_type() -> None:
    template = parsed({"n": "${ a.n + 1 }", "list": ["text", "${ b.m }"], "k": 3})
    assert references(template) == (("a", "n"), ("b", "m"))
    assert [e.pointer for e in template.expressions.values()] == ["/with/n", "/with/list/1"]
    result = evaluate_template(template, {"a": {"n": 2}, "b": {"m": {"deep": [True]}}})
    assert result == {"n": 3, "list": ["text", {"deep": [True]}], "k": 3}


def test_a_whole_value_may_be_one_expression_over_several_lines() -> None:
    assert evaluate_template(parsed("${\n  a.n\n  > 1\n}"), {"a": {"n": 2}}) is True


def test_literals_pass_unchanged() -> None:
    value: JsonValue = {"cost": "$5 {a} $ {b}", "n": None}
    assert evaluate_template(parsed(value), {}) == value


@pytest.mark.parametrize("text", ['${ "${x}" }', '${ "a ${ b } c" }'])
def test_a_literal_with_the_marker_is_written_as_an_expression(text: str) -> None:
    assert evaluate_template(parsed(text), {}) == text[4:-3].strip('"')


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("hello ${ a.n }", 'write ${ "hello " + a.n }, with string(x) around what is no string'),
        ("${ a.n }-${ b.m }", 'write ${ a.n + "-" + b.m }, with string(x) around what is no string'),
        ('say "${ a.n }"', 'write ${ "say \\"" + a.n + "\\"" }, with string(x) around what is no string'),
        ("${ a.n", "write ${ \"…\" } around a text that holds '${'"),
    ],
)
def test_a_marker_inside_a_text_is_refused_with_the_safe_form(text: str, hint: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parsed(text)
    assert (caught.value.code, caught.value.hint) == ("PLY1110", hint)


def test_all_problems_are_collected_with_their_places() -> None:
    problems: list[TemplateProblem] = []
    value: JsonValue = {"x/y": "${ a }", "ok": "${ a.n }", "l": ["${ nope }", "a ${ b.m }"]}
    template = parse_template(value, nodes=("a", "b"), names=(), pointer="/with", problems=problems)
    assert [(p.pointer, p.error.code) for p in problems] == [
        ("/with/x~1y", "PLY1104"),
        ("/with/l/0", "PLY1103"),
        ("/with/l/1", "PLY1110"),
    ]
    assert references(template) == (("a", "n"),)


def test_markers_of_other_languages_are_refused_where_programs_read_them() -> None:
    found = refuse_markers(
        {"text": "${{ x }}", "argv": ["make", "{{ target }}"], "note": "{{ fine }}"}, pointer="/with"
    )
    assert [(p.pointer, p.error.code) for p in found] == [
        ("/with/text", "PLY1111"),
        ("/with/argv/1", "PLY1111"),
    ]


@pytest.mark.parametrize("name", ["argv", "command", "script", "code", "sql"])
def test_the_name_of_a_port_marks_code(name: str) -> None:
    assert refuse_markers("a {{ b }}", name=name)
    assert not refuse_markers("a { b }", name=name)
    assert not refuse_markers('${ "{{ b }}" }', name=name)


@pytest.mark.parametrize("format_", ["code", "command", "sql"])
def test_the_schema_marks_code(format_: str) -> None:
    schema: dict[str, JsonValue] = {"properties": {"q": {"items": {"type": "string", "format": format_}}}}
    assert [p.pointer for p in refuse_markers({"q": ["{{ x }}"]}, schema=schema)] == ["/q/0"]
    assert not refuse_markers({"q": ["{{ x }}"]}, schema={"properties": {"q": {}}})
