from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import compile_expression
from polyphony_schemas.graph.model import Expression

NODES = ("lint", "test")
NAMES = ("inputs", "item")


def compiled(text: str) -> Expression:
    return compile_expression(text, nodes=NODES, names=NAMES, pointer="/here")


def refused(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        compiled(text)
    return caught.value


def test_finds_references_in_order_of_appearance_and_each_once() -> None:
    expression = compiled(
        "test.report.failures == 0 && has(lint.findings) && size(test.report.cases) > inputs.n"
    )
    assert expression.references == (("test", "report"), ("lint", "findings"))
    assert expression.pointer == "/here"


def test_finds_references_inside_macros_maps_and_indexes() -> None:
    expression = compiled("inputs.x.map(v, {'a': lint.n[v], 'lint.no': [test.m]})")
    assert expression.references == (("lint", "n"), ("test", "m"))


@pytest.mark.parametrize("text", ["lint", "lint['n']", "lint.size()", "size(lint)", "[lint]", "lint == null"])
def test_a_node_id_stands_only_before_a_port(text: str) -> None:
    assert refused(text).code == "PLY1104"


def test_members_and_strings_and_map_keys_are_no_references() -> None:
    assert compiled("inputs.lint.test == 'lint.n' && inputs.test != null").references == ()


@pytest.mark.parametrize(
    ("text", "code", "column"),
    [
        ("inpts.x", "PLY1103", 1),
        ("1 + foo(2)", "PLY1103", 5),
        ("[1].mapp(x, x)", "PLY1103", 5),
        ("[1].map(lint, 1)", "PLY1105", 9),
        ("[1].map(state, 1)", "PLY1105", 9),
        ("[1].map(x)", "PLY1105", 5),
        ("[1].all(x.y, true)", "PLY1105", 9),
        ("has(inputs)", "PLY1105", 1),
        ("1 +", "PLY1102", 4),
        ("(1", "PLY1102", 1),
        ("1]", "PLY1102", 2),
        ("'open", "PLY1102", 1),
        ("", "PLY1102", 1),
        ("b'x'", "PLY1102", 1),
        ("1u", "PLY1102", 1),
        ("inputs{a: 1}", "PLY1102", 1),
        (".inputs", "PLY1102", 1),
        ("inputs.?x", "PLY1102", 7),
        ("`a`", "PLY1102", 1),
    ],
)
def test_refuses_with_code_and_column(text: str, code: str, column: int) -> None:
    error = refused(text)
    assert (error.code, error.details["column"]) == (code, column)
    assert error.hint
    assert not error.hint.endswith(".")


def test_hints_at_the_nearest_name_and_function() -> None:
    assert refused("inpts.x").hint == "did you mean 'inputs'?"
    assert refused("inputs.s.startWith('a')").hint == "did you mean 'startsWith'?"


@pytest.mark.parametrize(
    "text",
    [
        "+".join(["1"] * 20_000),
        "+".join(["1"] * 129),
        "(" * 17 + "1" + ")" * 17,
        "(" * 100_000,
        "'" + "x" * 3_000 + "'",
    ],
)
def test_refuses_what_is_too_big_before_parsing(text: str) -> None:
    assert refused(text).code == "PLY1101"


def test_refuses_a_third_macro_inside_two() -> None:
    inner = "[1].map(a, [1].map(b, [1].map(c, c)))"
    assert refused(inner).code == "PLY1105"
    compiled("[1].map(a, [1].map(b, b)).filter(c, c > 0).map(d, d)")


def test_the_biggest_allowed_shapes_do_not_exhaust_a_small_stack() -> None:
    program = """
import threading
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import compile_expression, evaluate
texts = [
    "!" * 255 + "true", "-" * 255 + "1", "- " * 255 + "1", "+".join(["1"] * 128), "true?1:" * 63 + "2",
    "inputs" + ".a" * 127, "inputs" + "[0]" * 15, "(" * 16 + "1" + ")" * 16, "[" * 16 + "1" + "]" * 16,
    "{'a':" * 16 + "1" + "}" * 16, "true?" * 60 + "2" + ":3" * 60, "[1]" + ".map(x,[x])" * 24,
    " || ".join(["true"] * 128), "1" + "<1" * 127, "size(" * 15 + "'a'" + ")" * 15,
]
def work():
    for text in texts:
        try:
            evaluate(compile_expression(text, nodes=(), names=("inputs",)), {"inputs": {}})
        except ExpressionError:
            pass
    done.append(True)
done = []
threading.stack_size(512 * 1024)
thread = threading.Thread(target=work)
thread.start()
thread.join()
assert done
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_loading_expressions_imports_neither_yaml_nor_jsonschema_nor_a_command_line() -> None:
    program = (
        "import sys\n"
        "from polyphony_schemas.expressions import compile_expression, evaluate\n"
        "import polyphony_schemas.graph.model\n"
        "assert evaluate(compile_expression('1 + 1', nodes=(), names=()), {}) == 2\n"
        "print([m for m in ('yaml', 'jsonschema', 're2', 'typer', 'prompt_toolkit', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_library_can_still_be_imported_by_others() -> None:
    program = (
        "from polyphony_schemas.expressions import compile_expression\n"
        "compile_expression('1', nodes=(), names=())\n"
        "import cel\n"
        "assert cel.evaluate('1 + 1') == 2"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet=" ab.()[]{}'\"\\+-!?:,<>=&|0123uxre\n`$", max_size=40))
def test_any_text_is_compiled_or_refused(text: str) -> None:
    try:
        compile_expression(text, nodes=("a",), names=("b",))
    except ExpressionError as error:
        column = error.details["column"]
        assert isinstance(column, int)
        assert 1 <= column <= len(text) + 2
