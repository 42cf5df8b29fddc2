"""Expressions: the Common Expression Language, bounded before and while it runs.

``compile_expression`` checks a text against our bounds and the names in sight, ``evaluate`` runs it on values,
``templates`` reads JSON values with ``${ cel }`` in them. The language itself is a library's; what it cannot
bound (macros, sizes, regular expressions) runs at our own level, see ``evaluation``.
Every function and bound is listed in ``docs/expressions.md``.
"""

from polyphony_schemas.expressions.compilation import compile_expression
from polyphony_schemas.expressions.evaluation import evaluate
from polyphony_schemas.expressions.numbers import typed
from polyphony_schemas.expressions.templates import (
    evaluate_template,
    parse_template,
    references,
    refuse_markers,
)

__all__ = [
    "compile_expression",
    "evaluate",
    "evaluate_template",
    "parse_template",
    "references",
    "refuse_markers",
    "typed",
]
