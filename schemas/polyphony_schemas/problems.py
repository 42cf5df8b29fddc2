"""One finding of ``polyphony validate``: where it is, what was got, what was expected, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A place in a document and what is wrong there.

    ``line`` and ``column`` count from 1; ``pointer`` is a JSON Pointer (RFC 6901), ``""`` for the whole document.
    """

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    pointer: str
    message: str
    hint: str = ""
    got: str = ""
    expected: str = ""

    def to_json(self) -> dict[str, object]:
        """The object that ``validate --json`` prints."""
        return {
            "code": self.code,
            "severity": self.severity,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "pointer": self.pointer,
            "message": self.message,
            "hint": self.hint,
            "got": self.got,
            "expected": self.expected,
        }
