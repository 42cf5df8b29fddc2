"""The bounds of expressions, and the error codes of this package."""

from __future__ import annotations

from typing import Final

MAX_TEXT_BYTES: Final = 2_048
MAX_TOKENS: Final = 256
MAX_NESTING: Final = 16
MAX_NESTED_MACROS: Final = 2
MAX_ITEMS: Final = 10_000  # items one macro may walk
MAX_ROUNDS: Final = 100_000  # rounds of the innermost macros, all together, in one evaluation
MAX_WORK: Final = 64 * 1024 * 1024  # bytes of values that one evaluation may touch (see sizes.measure)
MAX_RESULT_BYTES: Final = 1024 * 1024  # as compact JSON in UTF-8
MAX_VALUE_DEPTH: Final = 128
MAX_PATTERN_BYTES: Final = 1_024  # regular expressions that `matches` takes
MAX_INT: Final = 2**63 - 1
MIN_INT: Final = -(2**63)

TOO_BIG: Final = "PLY1101"
SYNTAX: Final = "PLY1102"
UNKNOWN_NAME: Final = "PLY1103"
BAD_NODE_REFERENCE: Final = "PLY1104"
BAD_MACRO: Final = "PLY1105"
LIMIT_REACHED: Final = "PLY1106"
FAILED: Final = "PLY1107"
NO_VALUE: Final = "PLY1108"
BAD_RESULT: Final = "PLY1109"
BAD_TEMPLATE: Final = "PLY1110"
FOREIGN_MARKER: Final = "PLY1111"
