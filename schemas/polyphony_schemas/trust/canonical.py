"""Canonical JSON: the one byte form of everything that is signed, hashed or logged.

Keys are ASCII and sorted, no white space, UTF-8 without escapes beyond those JSON needs; values are strings,
integers below 2^53, booleans, null, arrays and objects. Within this profile the bytes equal RFC 8785.

>>> encode({"b": [1, True, None], "a": "é"}).decode()
'{"a":"é","b":[1,true,null]}'
>>> decode(b'{"a":1}')
{'a': 1}

The reader refuses what other readers disagree about: duplicate keys, ``NaN``, floats, lone surrogates, more than
16 levels, more than 64 KiB, and every spelling that ``encode`` would not give.

>>> decode(b'{"a": 1}')
Traceback (most recent call last):
polyphony_schemas.errors.FormatError: JSON that is not canonical: 8 bytes, canonical are 7
"""

from __future__ import annotations

import json
from typing import NoReturn

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.values import JsonObject, JsonValue

MAX_BYTES = 64 * 1024
MAX_DEPTH = 16
_INTEGER_BOUND = 2**53
_CODE = "PLY5001"
# Depth is checked before, so a cycle never gets here.
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False)


def encode(value: JsonValue) -> bytes:
    """Give the canonical bytes of ``value``; ``FormatError`` PLY5001 for what the profile leaves out."""
    _check(value, MAX_DEPTH)
    return _dump(value)


def digest(value: JsonValue) -> str:
    """SHA-256 of the canonical bytes, in hexadecimal."""
    return sha256_hex(encode(value))


def decode(data: bytes, *, max_bytes: int = MAX_BYTES, canonical: bool = True) -> JsonValue:
    """Read JSON strictly; with ``canonical=False`` any spelling of a value of the profile is taken.

    Raises ``FormatError`` PLY5001.
    """
    if len(data) > max_bytes:
        raise _error(f"JSON of {len(data)} bytes, the limit is {max_bytes}")
    try:
        value: JsonValue = json.loads(
            data.decode("utf-8"), object_pairs_hook=_object, parse_float=_float, parse_constant=_float
        )
    except RecursionError:
        raise _error(f"JSON nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:
        raise _error(f"not JSON: {error}") from None
    _check(value, MAX_DEPTH)
    again = _dump(value)
    if canonical and again != data:
        raise _error(f"JSON that is not canonical: {len(data)} bytes, canonical are {len(again)}")
    return value


def decode_object(data: bytes, *, max_bytes: int = MAX_BYTES, canonical: bool = True) -> JsonObject:
    """Read as ``decode`` does, and refuse everything but an object."""
    value = decode(data, max_bytes=max_bytes, canonical=canonical)
    if not isinstance(value, dict):
        raise _error(f"JSON {type(value).__name__}, expected an object")
    return value


def _dump(value: JsonValue) -> bytes:
    try:
        return _ENCODER.encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise _error("a string with a lone surrogate") from None


def _object(pairs: list[tuple[str, JsonValue]]) -> dict[str, JsonValue]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _error("an object with the same key twice")
    return found


def _float(text: str) -> NoReturn:
    raise _error(f"the number {text[:40]!r}, expected an integer")


def _check(value: JsonValue, depth: int) -> None:
    """Walk a value once; plain strings, the most common member, cost no call."""
    if value is None or isinstance(value, (str, bool)):
        return
    if isinstance(value, (int, float)):
        _check_number(value)
        return
    if depth == 0:
        raise _error(f"JSON nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        for key, member in value.items():
            if type(key) is not str or not key.isascii():
                raise _error(f"the key {key!r}, expected ASCII text")
            if type(member) is not str:
                _check(member, depth - 1)
    elif isinstance(value, (list, tuple)):
        for item in value:
            if type(item) is not str:
                _check(item, depth - 1)
    else:
        raise _error(f"a {type(value).__name__}, expected a JSON value")


def _check_number(value: float) -> None:
    if isinstance(value, float):
        raise _error(f"the number {value!r}, expected an integer")
    if not -_INTEGER_BOUND < value < _INTEGER_BOUND:
        raise _error("an integer outside ±2^53")


def _error(message: str) -> FormatError:
    return FormatError(_CODE, message, hint="write it with the canonical JSON encoder")
