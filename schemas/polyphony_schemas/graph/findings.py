"""What the analysis of a graph has to say, by JSON Pointer; ``validate`` turns it into problems with lines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.problems import Problem, Severity

if TYPE_CHECKING:
    from polyphony_schemas.yaml12 import Document

UNKNOWN_PACKAGE = "PLY1601"
UNKNOWN_NODE = "PLY1602"
UNKNOWN_PORT = "PLY1603"
TWO_SOURCES = "PLY1604"
MISSING_INPUT = "PLY1605"
WRONG_VALUE = "PLY1606"
INCOMPATIBLE_WIRE = "PLY1607"
CYCLE = "PLY1608"
UNREACHABLE = "PLY1609"
BAD_JOIN = "PLY1610"
BAD_HANDLER = "PLY1611"
BAD_SCOPE = "PLY1612"
NAME_CLASH = "PLY1613"
UNKNOWN_MEMBER = "PLY1614"
TOO_BIG = "PLY1615"
BAD_CORE_NODE = "PLY1616"
BAD_MUTEX = "PLY1617"
NOT_UPSTREAM = "PLY1618"
NO_UNDO = "PLY1619"
NOT_ALLOWED_EXTENSION = "PLY1620"
IRREVERSIBLE_FIRST = "PLY1621"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to say about the place ``pointer``."""

    code: str
    severity: Severity
    pointer: str
    message: str
    hint: str = ""
    got: str = ""
    expected: str = ""

    def at(self, document: Document) -> Problem:
        """The problem of this document, with line and column."""
        return document.problem(
            self.code,
            self.pointer,
            self.message,
            hint=self.hint,
            got=self.got,
            expected=self.expected,
            severity=self.severity,
        )


@dataclass(slots=True)
class Findings:
    """Collects findings during one analysis."""

    items: list[Finding] = field(default_factory=list)

    def error(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        """Something that must be mended."""
        self.items.append(Finding(code, "error", pointer, message, hint))

    def warning(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        """Something that is probably not meant."""
        self.items.append(Finding(code, "warning", pointer, message, hint))

    def info(self, code: str, pointer: str, message: str, hint: str = "") -> None:
        """Something worth knowing."""
        self.items.append(Finding(code, "info", pointer, message, hint))

    def refused(self, pointer: str, error: PolyphonyError) -> None:
        """An error of a smaller format, at its place."""
        self.items.append(Finding(error.code, "error", pointer, error.message, error.hint))


def join_pointer(base: str, *parts: str | int) -> str:
    """A JSON Pointer below ``base``.

    >>> join_pointer("/nodes", "a", "with", "x/y")
    '/nodes/a/with/x~1y'
    """
    return base + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)
