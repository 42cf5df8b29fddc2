from __future__ import annotations

import re
from pathlib import Path

import pytest

from polyphony_schemas.expressions import compile_expression, evaluate, limits
from polyphony_schemas.expressions.functions import FUNCTIONS, MACROS

PAGE = Path(__file__).parents[3] / "docs" / "expressions.md"


@pytest.mark.parametrize("name", [*FUNCTIONS, *MACROS])
def test_every_function_does_what_its_example_says(name: str) -> None:
    example = {**FUNCTIONS, **MACROS}[name][2]
    assert evaluate(compile_expression(example, nodes=(), names=()), {}) is True


def test_the_page_lists_exactly_the_functions_there_are() -> None:
    rows = re.findall(r"^\| (`.*`) \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    listed = {(calls.replace("`", ""), gives.replace("`", "")) for calls, gives in rows}
    known = {(calls, gives.replace("`", "")) for calls, gives, _ in (*FUNCTIONS.values(), *MACROS.values())}
    assert listed == known


@pytest.mark.parametrize(
    "bound",
    [
        limits.MAX_TEXT_BYTES,
        limits.MAX_TOKENS,
        limits.MAX_NESTING,
        limits.MAX_NESTED_MACROS,
        limits.MAX_ITEMS,
        limits.MAX_ROUNDS,
        limits.MAX_WORK,
        limits.MAX_VALUE_DEPTH,
        limits.MAX_PATTERN_BYTES,
        limits.MAX_RESULT_BYTES,
    ],
)
def test_the_page_names_every_bound(bound: int) -> None:
    bounds = PAGE.read_text(encoding="utf-8").partition("## Bounds")[2]
    assert re.search(rf"\| {bound:,}( bytes)? \|", bounds)
