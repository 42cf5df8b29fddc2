"""The one place that touches the CEL library: loads it, compiles, runs, and turns its errors into ours.

The library's package imports a command line (half a second); its compiled module is loaded alone. It also logs
failing callbacks, which are errors that we report ourselves, so that logger is off.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import logging
import re
import sys
from collections.abc import Callable, Mapping
from functools import cache
from typing import Protocol, cast

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import limits

_MODULE = "cel.cel"
_PLACE = re.compile(r"ERROR: <input>:([0-9]+):([0-9]+): (.*)")


class Context(Protocol):
    """Variables and functions for one program."""

    def add_variable(self, name: str, value: object) -> None:
        """Set or replace a variable."""


class Program(Protocol):
    """A compiled expression."""

    def execute(self, context: Context) -> object:
        """The value; raises all sorts of exceptions."""


class _Library(Protocol):
    def compile(self, expression: str) -> Program: ...

    def Context(  # noqa: N802  # the library's name
        self, variables: Mapping[str, object], functions: Mapping[str, Callable[..., object]]
    ) -> Context: ...


@cache
def _library() -> _Library:
    loaded = sys.modules.get(_MODULE)
    if loaded is None:
        package = importlib.util.find_spec("cel")
        folders = package.submodule_search_locations if package else None
        spec = importlib.machinery.PathFinder.find_spec(_MODULE, list(folders or ()))
        if spec is None or spec.loader is None:
            raise ImportError("the package 'common-expression-language' is not installed")
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[_MODULE] = loaded
        spec.loader.exec_module(loaded)
        logging.getLogger("cel").disabled = True
    return cast("_Library", loaded)


def compile_program(text: str) -> Program:
    """Compile ``text``, which our tokenizer has bounded; raises ExpressionError (PLY1102)."""
    try:
        return _library().compile(text)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001  # a panic of the library is no Exception
        raise _syntax_error(text, str(error)) from None


def new_context(variables: Mapping[str, object], functions: Mapping[str, Callable[..., object]]) -> Context:
    """A context; values must have passed ``sizes.measure``."""
    return _library().Context(variables=variables, functions=functions)


def _syntax_error(text: str, message: str) -> ExpressionError:
    place = _PLACE.search(message)
    line, column, what = (int(place[1]), int(place[2]), place[3]) if place else (1, 1, message)
    what = what.removeprefix("Syntax error: ").split(" expecting ")[0][:200]
    offset = sum(len(part) + 1 for part in text.split("\n")[: line - 1]) + column
    return ExpressionError(
        limits.SYNTAX,
        f"got an expression that is not CEL: {what} (column {offset})",
        hint="compare with the expressions in docs/expressions.md",
        details={"column": offset},
    )
