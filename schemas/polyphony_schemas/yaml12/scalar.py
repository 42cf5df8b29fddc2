"""Plain scalars of the YAML 1.2 core schema (YAML 1.2.2, 10.3.2), and the characters a string may hold."""

from __future__ import annotations

import math
import re

from polyphony_schemas.yaml12.limits import MAX_INT, MIN_INT

_CONSTANTS: dict[str, bool | None] = {
    "": None,
    "~": None,
    **dict.fromkeys(("null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_START = frozenset("-+.0123456789")
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_SPECIAL = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_MAX_DIGITS = 400


class NumberError(ValueError):
    """A number that JSON, or 64 bits, cannot hold; the text says why."""


def resolve_plain(text: str) -> bool | int | float | str | None:
    """The value of a plain scalar; raises NumberError.

    >>> [resolve_plain(text) for text in ("NO", "0644", "0o17", "3.10", "~", "1e3", "+1", "0b1")]
    ['NO', 644, 15, 3.1, None, 1000.0, 1, '0b1']
    """
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in _START:
        return text
    if _SPECIAL.fullmatch(text):
        raise NumberError(f"{text}, which JSON cannot hold")
    if _INT.fullmatch(text):
        return to_int(text, 10)
    if _BASED.fullmatch(text):
        return to_int(text[2:], 8 if text[1] == "o" else 16)
    if _FLOAT.fullmatch(text):
        return to_float(text)
    return text


def to_int(digits: str, base: int) -> int:
    """An integer of 64 bits; raises NumberError."""
    number = int(digits, base) if len(digits) < _MAX_DIGITS else MAX_INT + 1
    if not MIN_INT <= number <= MAX_INT:
        raise NumberError(f"the integer {digits[:40]}, which is beyond 64 bits")
    return number


def to_float(text: str) -> float:
    """A finite double; raises NumberError."""
    number = float(text)
    if not math.isfinite(number):
        raise NumberError(f"the number {text[:40]}, which is beyond a double")
    return number


def control_character(text: str) -> str | None:
    """The first character that no string may hold (as ``U+0000``), or None."""
    found = _CONTROL.search(text)
    return f"U+{ord(found[0]):04X}" if found else None
