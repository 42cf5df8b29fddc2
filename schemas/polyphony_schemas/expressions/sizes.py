"""How big a value is, before a library gets to copy it.

The measure counts roughly the bytes of memory: 8 for a scalar, 16 for a container, 8 for each entry, and the
characters of strings.
"""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Mapping, Sequence
from typing import cast

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import limits
from polyphony_schemas.values import JsonValue


def measure(value: object, limit: int = limits.MAX_WORK) -> int:
    """The size of a JSON value; raises ExpressionError (PLY1106) when it is deeper or bigger than allowed."""
    total = 0
    level: list[object] = [value]
    depth = 0
    while level:
        below: list[object] = []
        for item in level:
            if isinstance(item, str):
                total += 8 + len(item)
            elif isinstance(item, Mapping):
                total += 16 + sum(16 + len(key) if isinstance(key, str) else 16 for key in item)
                below.extend(item.values())
            elif isinstance(item, Sequence):
                total += 16 + 8 * len(item)
                below.extend(item)
            else:
                total += _scalar(item)
        depth += 1
        if total > limit:
            raise _limit(f"values of more than {limit} bytes", "select the parts that are needed first")
        if depth > limits.MAX_VALUE_DEPTH:
            raise _limit(
                f"a value nested deeper than {limits.MAX_VALUE_DEPTH}",
                "pass a flatter value to the expression",
            )
        level = below
    return total


def plain(value: object) -> object:
    """``value`` with every mapping a dict and every sequence a list (measure first: this recurses)."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [plain(item) for item in value]
    return value


def checked_result(value: object) -> JsonValue:
    """``value`` if it is JSON of at most 1 MiB; raises ExpressionError (PLY1106, PLY1109)."""
    _refuse_foreign(value)
    if isinstance(value, (str, list, dict)):
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > limits.MAX_RESULT_BYTES:
            raise _limit(
                f"a result of {size} bytes, expected at most {limits.MAX_RESULT_BYTES}",
                "pass big values as artifacts of a node",
            )
    return cast("JsonValue", value)


def _refuse_foreign(value: object) -> None:
    pending: list[object] = [value]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            strange = [key for key in item if not isinstance(key, str)]
            if strange:
                raise _not_json(
                    f"a map with the key {strange[0]!r}", "use strings as keys, string(x) makes one"
                )
            pending.extend(item.values())
        elif isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, float):
            if not math.isfinite(item):
                raise _not_json(f"the number {item}", "guard the division, like b != 0.0 ? a / b : 0.0")
        elif isinstance(item, (datetime.datetime, datetime.timedelta)):
            raise _not_json("a timestamp or duration", "wrap it, like string(x)")
        elif not (item is None or isinstance(item, (str, bool, int))):
            raise _not_json(f"a value of type {type(item).__name__}", "convert it to a JSON value")


def _scalar(item: object) -> int:
    if isinstance(item, int) and not limits.MIN_INT <= item <= limits.MAX_INT:
        raise _limit("an integer beyond 64 bits", "pass it as a string")
    return 8


def _limit(got: str, hint: str) -> ExpressionError:
    return ExpressionError(limits.LIMIT_REACHED, f"got {got}", hint=hint)


def _not_json(got: str, hint: str) -> ExpressionError:
    return ExpressionError(limits.BAD_RESULT, f"got {got}, expected a JSON value", hint=hint)
