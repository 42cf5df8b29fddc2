"""Templates: JSON values in which a string that is wholly ``${ cel }`` is an expression.

``${`` anywhere else in a string is an error, so nothing is ever half interpolated; a literal with ``${`` is
``${ "…" }``. Markers of other template languages are refused where a program would read them: ``${{`` anywhere,
``{{`` where a string is code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from polyphony_schemas.errors import ExpressionError, PolyphonyError
from polyphony_schemas.expressions import limits
from polyphony_schemas.expressions.compilation import compile_expression
from polyphony_schemas.expressions.evaluation import evaluate
from polyphony_schemas.expressions.tokens import tokenize
from polyphony_schemas.graph.model import Expression, Template
from polyphony_schemas.values import JsonObject, JsonValue

Place = tuple[str | int, ...]
CODE_FORMATS = frozenset({"code", "command", "sql"})
CODE_NAMES = frozenset({"argv", "command", "script", "code", "sql"})
_WHOLE = re.compile(r"\$\{(?!\{)(.*)\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class TemplateProblem:
    """What is wrong with the string at ``pointer``."""

    pointer: str
    error: PolyphonyError


def parse_template(
    value: JsonValue,
    *,
    nodes: Collection[str],
    names: Collection[str],
    pointer: str = "",
    problems: list[TemplateProblem] | None = None,
) -> Template:
    """Find and check the expressions in ``value``; ``pointer`` is its place in the document.

    With ``problems`` every error is put there and the rest goes on; without, the first raises ExpressionError.
    """
    expressions: dict[Place, Expression] = {}
    for place, text in _strings(value, ()):
        where = pointer + _pointer(place)
        try:
            inner = expression_text(text)
            if inner is not None:
                expressions[place] = compile_expression(inner, nodes=nodes, names=names, pointer=where)
        except ExpressionError as error:
            if problems is None:
                raise
            problems.append(TemplateProblem(where, error))
    return Template(value, expressions)


def expression_text(text: str) -> str | None:
    """The CEL of a string that is wholly ``${ cel }``, None for a literal; raises ExpressionError (PLY1110)."""
    if "${" not in text:
        return None
    if "${{" in text:
        raise _foreign("${{", "write ${ cel } with one brace")
    match = _WHOLE.fullmatch(text.strip())
    if match is None or _more_than_one(match[1]):
        raise ExpressionError(
            limits.BAD_TEMPLATE,
            f"got '${{' inside the text {text!r:.120}, expected the whole string to be one ${{ cel }}",
            hint=_safe_form(text),
        )
    return match[1].strip()


def refuse_markers(
    value: JsonValue, *, name: str = "", schema: JsonObject | bool = True, pointer: str = ""
) -> list[TemplateProblem]:
    """The strings of ``value`` that hold markers of other template languages (PLY1111).

    ``${{`` is refused everywhere; ``{{`` where ``name`` or a key inside is one of argv, command, script, code, sql,
    or ``schema`` says ``format: code``, ``command`` or ``sql``. Call it for each ``with`` entry and for ``task``.
    """
    found: list[TemplateProblem] = []
    code = name in CODE_NAMES or _is_code(schema)
    _markers(value, schema, code, pointer, found)
    return found


def evaluate_template(template: Template, environment: Mapping[str, JsonValue]) -> JsonValue:
    """The value with every expression replaced by its result; raises ExpressionError as ``evaluate`` does."""
    if not template.expressions:
        return template.value
    if () in template.expressions:
        return evaluate(template.expressions[()], environment)
    results = {place: evaluate(expression, environment) for place, expression in template.expressions.items()}
    return _filled(template.value, (), results)


def references(template: Template) -> tuple[tuple[str, str], ...]:
    """The ``(node, port)`` pairs of all expressions, each once, in order of appearance."""
    pairs = (pair for expression in template.expressions.values() for pair in expression.references)
    return tuple(dict.fromkeys(pairs))


def _filled(value: JsonValue, place: Place, results: Mapping[Place, JsonValue]) -> JsonValue:
    if place in results:
        return results[place]
    if isinstance(value, Mapping):
        return {key: _filled(item, (*place, key), results) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_filled(item, (*place, index), results) for index, item in enumerate(value)]
    return value


def _strings(value: JsonValue, place: Place) -> Iterator[tuple[Place, str]]:
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item, (*place, key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _strings(item, (*place, index))


def _markers(
    value: JsonValue, schema: object, code: bool, pointer: str, found: list[TemplateProblem]
) -> None:
    if isinstance(value, str):
        if "${{" in value:
            found.append(TemplateProblem(pointer, _foreign("${{", "write ${ cel } with one brace")))
        elif code and "{{" in value and not _is_expression(value):
            found.append(
                TemplateProblem(pointer, _foreign("{{", "pass the value as an input, or compute it in CEL"))
            )
        return
    for key, item, rules in _children(value, schema):
        inside = code or key in CODE_NAMES or _is_code(rules)
        _markers(item, rules, inside, f"{pointer}{_pointer((key,))}", found)


def _children(value: JsonValue, schema: object) -> Iterator[tuple[str | int, JsonValue, object]]:
    rules = schema if isinstance(schema, Mapping) else {}
    if isinstance(value, Mapping):
        properties = rules.get("properties")
        known = properties if isinstance(properties, Mapping) else {}
        for key, item in value.items():
            yield key, item, known.get(key, rules.get("additionalProperties"))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for index, item in enumerate(value):
            yield index, item, rules.get("items")


def _is_code(schema: object) -> bool:
    return isinstance(schema, Mapping) and schema.get("format") in CODE_FORMATS


def _is_expression(text: str) -> bool:
    try:
        return expression_text(text) is not None
    except ExpressionError:
        return False


def _more_than_one(inner: str) -> bool:
    """Whether the braces of ``${ … }`` close before the end, as in ``${ a } and ${ b }``.

    Text that cannot be tokenised is left to the compiler, which says where; unless it looks like two expressions.
    """
    if "${" not in inner:
        return False
    try:
        tokenize(inner)
    except ExpressionError:
        return True
    return False


def _safe_form(text: str) -> str:
    parts = re.split(r"\$\{(.*?)\}", text)
    if len(parts) < 3:
        return "write ${ \"…\" } around a text that holds '${'"
    pieces = [
        part.strip() if index % 2 else _quoted(part) for index, part in enumerate(parts) if index % 2 or part
    ]
    return "write ${ " + " + ".join(pieces) + " }, with string(x) around what is no string"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def _foreign(marker: str, hint: str) -> ExpressionError:
    return ExpressionError(
        limits.FOREIGN_MARKER, f"got {marker!r}, the marker of another template language", hint=hint
    )


def _pointer(place: Place) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in place)
