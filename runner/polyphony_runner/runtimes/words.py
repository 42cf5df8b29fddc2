"""The argv of ``command`` and ``process``: words are literal or wholly ``${ cel }``, and there is no shell.

The first word is looked up in the extension, then in PATH; a literal relative word that names a file of the
extension means ``/ext/WORD``. A value that begins with ``-`` could be taken for an option: it may only stand after
a literal ``--``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import compile_expression, evaluate
from polyphony_schemas.expressions.templates import expression_text
from polyphony_schemas.graph.model import Expression
from polyphony_schemas.values import JsonObject, JsonValue

NAMES = ("inputs", "parameters", "task")
SYSTEM_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")


def compile_words(words: Sequence[str]) -> tuple[str | Expression, ...]:
    """The words with their expressions compiled. NodeError PLY3507 for one that cannot be."""
    compiled: list[str | Expression] = []
    for word in words:
        try:
            text = expression_text(word)
            compiled.append(word if text is None else compile_expression(text, nodes=(), names=NAMES))
        except ExpressionError as error:
            raise NodeError(
                "configuration", "PLY3507", f"the word {word!r} of run: {error.message}", hint=error.hint
            ) from error
    return tuple(compiled)


def argv(words: Sequence[str | Expression], environment: JsonObject, extension: Path) -> tuple[str, ...]:
    """The words as they are started; a list value stands for several words."""
    made: list[str] = []
    after_dashes = False
    for word in words:
        if isinstance(word, str):
            after_dashes = after_dashes or word == "--"
            made.append(_literal(word, extension))
            continue
        for value in _values(word, environment):
            if value.startswith("-") and not after_dashes:
                raise NodeError(
                    "validation",
                    "PLY3507",
                    f"the value {value!r} of ${{ {word.source} }} begins with '-' and would be taken for an option",
                    hint='put the word "--" before it in the extension, or give another value',
                )
            made.append(value)
    return tuple(made)


def check_program(word: str, extension: Path, folders: Sequence[str], mounted: Mapping[str, str]) -> str:
    """The first word as it is started. NodeError of kind ``unavailable`` when no such program is to be had."""
    if "/" in word:
        return word
    if (extension / "bin" / word).is_file() or word in mounted:
        return mounted.get(word, word)
    for folder in folders:
        if os.access(Path(folder) / word, os.X_OK):
            return word
    raise NodeError(
        "unavailable",
        "PLY3508",
        f"the program {word!r} is neither in the extension nor on this machine",
        hint=f"install {word}, or name a program of the extension by its path",
    )


def _literal(word: str, extension: Path) -> str:
    if word.startswith(("/", "-")) or ".." in word.split("/") or word in ("", "."):
        return word
    return f"/ext/{word}" if (extension / word).is_file() else word


def _values(word: Expression, environment: JsonObject) -> list[str]:
    try:
        value = evaluate(word, environment)
    except ExpressionError as error:
        raise NodeError("expression", "PLY3507", error.message, hint=error.hint) from error
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_text(item, word) for item in value]
    return [_text(value, word)]


def _text(value: JsonValue, word: Expression) -> str:
    if isinstance(value, str) and "\0" not in value:
        return value
    if isinstance(value, bool | int | float):
        return json.dumps(value)
    raise NodeError(
        "validation",
        "PLY3507",
        f"${{ {word.source} }} gave {value!r}, expected text or a number to be a word of the command",
    )
