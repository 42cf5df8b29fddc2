"""JSON as a hostile program might write it, read strictly.

Refused: bytes that are no UTF-8, duplicate keys, NaN and infinities, depth over 64, lone surrogates.

>>> loads(b'{"a": [1, 2.5, "x"]}')
{'a': [1, 2.5, 'x']}
>>> loads(b'{"a": 1, "a": 2}')
Traceback (most recent call last):
ValueError: the key 'a' stands twice
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

from polyphony_schemas.values import JsonValue

MAX_DEPTH = 64


def loads(data: bytes) -> JsonValue:
    """The value. ValueError says what is wrong."""
    try:
        value: JsonValue = _DECODER.decode(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(f"no UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"no JSON at character {error.pos}: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    _check(value, b"\\ud" in data or b"\\uD" in data)
    return value


def _check(value: JsonValue, surrogates: bool) -> None:
    pending: list[tuple[JsonValue, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if isinstance(item, str):
            if surrogates and any(0xD800 <= ord(char) < 0xE000 for char in item):
                raise ValueError("a text holds half of a surrogate pair")
            continue
        if not isinstance(item, Mapping | Sequence):
            continue
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        if isinstance(item, Mapping):
            if surrogates:
                pending.extend((key, depth) for key in item)
            pending.extend((inner, depth + 1) for inner in item.values())
        else:
            pending.extend((inner, depth + 1) for inner in item)


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    made = dict(pairs)
    if len(made) != len(pairs):
        names = [key for key, _ in pairs]
        twice = next(key for position, key in enumerate(names) if key in names[:position])
        raise ValueError(f"the key {twice!r} stands twice")
    return made


def _constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text} is too large")
    return number


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)
