"""Durations, sizes and money as the formats write them, and back.

A duration is ``1d2h3m4s5ms`` (any of the parts, each once, largest first), a size is a number and one of
``B KiB MiB GiB``, money is a decimal string with a dot. All are exact: integers of milliseconds and bytes.

>>> parse_duration("1h30m"), format_duration(5_400_000)
(5400000, '1h30m')
>>> parse_size("64MiB"), format_size(67_108_864)
(67108864, '64MiB')
>>> parse_money("0.50")
Decimal('0.50')
"""

from __future__ import annotations

import re
from decimal import Decimal

from polyphony_schemas.errors import FormatError

BAD_DURATION = "PLY1301"
BAD_SIZE = "PLY1302"
BAD_MONEY = "PLY1303"

# For schemas and RE2 alike, so without lookaround; a duration is not empty either.
DURATION_PATTERN = r"^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$"
SIZE_PATTERN = r"^[0-9]+(B|KiB|MiB|GiB)$"
MONEY_PATTERN = r"^(0|[1-9][0-9]{0,11})(\.[0-9]{1,6})?$"

_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))
_SIZES = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1))
_PART = re.compile(r"([0-9]+)(ms|[dhms])")
_DURATION = re.compile(DURATION_PATTERN, re.ASCII)
_SIZE = re.compile(SIZE_PATTERN, re.ASCII)
_MONEY = re.compile(MONEY_PATTERN, re.ASCII)
_MAX_TEXT = 64
_MAX = 2**53 - 1


def parse_duration(text: str) -> int:
    """Milliseconds of ``text``; raises FormatError (PLY1301)."""
    if not 0 < len(text) <= _MAX_TEXT or not _DURATION.fullmatch(text):
        raise _bad(BAD_DURATION, "duration", text, "numbers with d, h, m, s, ms, like 1d2h3m4s5ms or 90s")
    factors = dict(_UNITS)
    total = sum(int(number) * factors[unit] for number, unit in _PART.findall(text))
    if total > _MAX:
        raise _bad(BAD_DURATION, "duration", text, "at most 2^53 - 1 milliseconds")
    return total


def format_duration(milliseconds: int) -> str:
    """The shortest text that ``parse_duration`` reads back to ``milliseconds`` (not negative)."""
    parts: list[str] = []
    rest = milliseconds
    for unit, factor in _UNITS:
        count, rest = divmod(rest, factor)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_size(text: str) -> int:
    """Bytes of ``text``; raises FormatError (PLY1302)."""
    if len(text) > _MAX_TEXT or not _SIZE.fullmatch(text):
        raise _bad(BAD_SIZE, "size", text, "a whole number with B, KiB, MiB or GiB, like 512MiB")
    unit, factor = next(pair for pair in _SIZES if text.endswith(pair[0]))
    total = int(text[: -len(unit)]) * factor
    if total > _MAX:
        raise _bad(BAD_SIZE, "size", text, "at most 2^53 - 1 bytes")
    return total


def format_size(size: int) -> str:
    """The text in the largest unit that divides ``size`` (bytes, not negative) exactly."""
    unit, factor = next(pair for pair in _SIZES if size and size % pair[1] == 0) if size else ("B", 1)
    return f"{size // factor}{unit}"


def parse_money(text: str) -> Decimal:
    """The amount of ``text``, exactly (at most six decimals); raises FormatError (PLY1303)."""
    if not _MONEY.fullmatch(text):
        raise _bad(
            BAD_MONEY, "amount", text, "a decimal string in quotes, like '1.50', with at most six decimals"
        )
    return Decimal(text)


def format_money(amount: Decimal) -> str:
    """``amount`` without exponent, rounded to six decimals, with at least two."""
    text = f"{amount:.6f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def _bad(code: str, what: str, text: str, expected: str) -> FormatError:
    shown = text if len(text) <= _MAX_TEXT else text[:_MAX_TEXT] + "…"
    return FormatError(code, f"got {what} {shown!r}, expected {expected}", hint=f"write {expected}")
