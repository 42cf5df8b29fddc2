"""``matches``: regular expressions by RE2, in linear time, with bounded patterns and memory."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol, cast

from polyphony_schemas.errors import ExpressionError
from polyphony_schemas.expressions import limits

_MEMORY = 8 * 1024 * 1024


class Pattern(Protocol):
    """A compiled RE2 pattern."""

    def search(self, text: str) -> object | None:
        """The first match, or None."""


@lru_cache(maxsize=512)
def compile_pattern(pattern: str) -> Pattern:
    """``pattern`` in RE2 syntax; raises ValueError with RE2's reason."""
    import re2

    options = re2.Options()
    options.max_mem = _MEMORY
    options.log_errors = False
    try:
        return cast("Pattern", re2.compile(pattern, options=options))
    except re2.error as error:
        reason = error.args[0] if error.args else "refused"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text) from None


def found(text: object, pattern: object) -> bool:
    """Whether ``pattern`` is found in ``text``; raises ExpressionError (PLY1106, PLY1107)."""
    if not isinstance(text, str) or not isinstance(pattern, str):
        raise ExpressionError(
            limits.FAILED,
            "got no strings in matches(), expected a text and a pattern",
            hint="write text.matches('^a')",
        )
    if len(pattern.encode("utf-8", "surrogatepass")) > limits.MAX_PATTERN_BYTES:
        raise ExpressionError(
            limits.LIMIT_REACHED,
            f"got a pattern of more than {limits.MAX_PATTERN_BYTES} bytes",
            hint="match with a shorter pattern",
        )
    try:
        return compile_pattern(pattern).search(text) is not None
    except ValueError as error:
        raise ExpressionError(
            limits.FAILED,
            f"got the pattern {pattern!r:.80}, which RE2 refuses: {error}",
            hint="RE2 has no backreferences or lookaround",
        ) from None
