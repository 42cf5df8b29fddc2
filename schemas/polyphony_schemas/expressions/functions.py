"""What an expression may call: the functions and macros, each with an example that a test runs.

Whatever is not listed here is refused by name, whether the library knows it or not.
"""

from __future__ import annotations

from typing import Final, Literal

MacroKind = Literal["all", "exists", "exists_one", "filter", "map"]

# name → (signature, what it gives, example that is true)
FUNCTIONS: Final[dict[str, tuple[str, str, str]]] = {
    "size": (
        "size(x), x.size()",
        "characters of a string, entries of a list or map",
        "size('héé') == 3 && [1, 2].size() == 2",
    ),
    "contains": ("s.contains(t)", "whether string `s` holds `t`", "'chord'.contains('or')"),
    "startsWith": ("s.startsWith(t)", "whether `s` starts with `t`", "'chord'.startsWith('ch')"),
    "endsWith": ("s.endsWith(t)", "whether `s` ends with `t`", "'chord'.endsWith('rd')"),
    "matches": (
        "s.matches(p), matches(s, p)",
        "whether RE2 pattern `p` (at most 1,024 bytes) is found in `s`",
        "'a-17'.matches('^[a-z]-[0-9]+$')",
    ),
    "int": (
        "int(x)",
        "integer of a number (rounded towards zero) or decimal string",
        "int('12') + int(2.9) == 14",
    ),
    "double": ("double(x)", "double of a number or string", "double(2) / 4.0 == 0.5"),
    "string": (
        "string(x)",
        "text of a number, timestamp or duration",
        "string(12) == '12'",
    ),
    "timestamp": (
        "timestamp(s)",
        "point in time of an RFC 3339 string",
        "timestamp('2026-01-02T00:00:00Z') > timestamp('2026-01-01T00:00:00Z')",
    ),
    "duration": (
        "duration(s)",
        "length of time of a string with h, m, s, ms",
        "timestamp('2026-01-01T00:00:00Z') + duration('24h') == timestamp('2026-01-02T00:00:00Z')",
    ),
    "getFullYear": ("t.getFullYear()", "year", "timestamp('2026-03-04T05:06:07Z').getFullYear() == 2026"),
    "getMonth": ("t.getMonth()", "month from 0", "timestamp('2026-03-04T05:06:07Z').getMonth() == 2"),
    "getDate": ("t.getDate()", "day of the month from 1", "timestamp('2026-03-04T05:06:07Z').getDate() == 4"),
    "getDayOfWeek": (
        "t.getDayOfWeek()",
        "day of the week from 0, Sunday",
        "timestamp('2026-03-04T05:06:07Z').getDayOfWeek() == 3",
    ),
    "getDayOfYear": (
        "t.getDayOfYear()",
        "day of the year from 0",
        "timestamp('2026-03-04T05:06:07Z').getDayOfYear() == 62",
    ),
    "getHours": ("t.getHours()", "hour", "timestamp('2026-03-04T05:06:07Z').getHours() == 5"),
    "getMinutes": ("t.getMinutes()", "minute", "timestamp('2026-03-04T05:06:07Z').getMinutes() == 6"),
    "getSeconds": ("t.getSeconds()", "second", "timestamp('2026-03-04T05:06:07Z').getSeconds() == 7"),
}

MACROS: Final[dict[str, tuple[str, str, str]]] = {
    "has": ("has(a.b)", "whether the member exists (a port: brought a value)", "has({'a': 1}.a)"),
    "all": ("x.all(v, p)", "whether `p` holds for every item", "[1, 2].all(v, v > 0)"),
    "exists": ("x.exists(v, p)", "whether `p` holds for some item", "[1, 2].exists(v, v == 2)"),
    "exists_one": ("x.exists_one(v, p)", "whether `p` holds for exactly one", "[1, 2].exists_one(v, v == 2)"),
    "filter": ("x.filter(v, p)", "the items for which `p` holds", "[1, 2].filter(v, v > 1) == [2]"),
    "map": (
        "x.map(v, t), x.map(v, p, t)",
        "`t` of every item (for which `p` holds)",
        "[1, 2].map(v, v * 2) == [2, 4] && [1, 2].map(v, v > 1, v * 2) == [4]",
    ),
}

MACRO_KINDS: Final[dict[str, MacroKind]] = {
    "all": "all",
    "exists": "exists",
    "exists_one": "exists_one",
    "filter": "filter",
    "map": "map",
}

# These run at our own level, under a name that no expression can spell (it is in neither table above).
OWN_SIZE: Final = "size__"
OWN_MATCHES: Final = "matches__"
OWN_MACRO: Final = "macro__"
OWN_NAMES: Final = {"size": OWN_SIZE, "matches": OWN_MATCHES}
