"""The one shape of every error a person or a program meets.

PolyphonyError                 code, message, hint, details
├── InputError                 what was given cannot be used (exit status 1)
│   ├── FormatError            bytes or documents that break a format
│   ├── ExpressionError        CEL that is refused or fails
│   └── TrustError             verification said no; ``step`` is the numbered step of docs/trust.md
└── UsageError                 the call itself is wrong (exit status 2)

Runner and registry derive their own families from these. Codes (``PLY1234``) are stable and documented in
``docs/errors.md``; the first digit says who speaks: 1 formats · 2 run · 3 sandbox and runtimes · 4 registry
server · 5 trust (the table of verification steps) · 6 client (home, keys, bindings) · 7 command line.
"""

from __future__ import annotations

from collections.abc import Mapping


class PolyphonyError(Exception):
    """Base of all errors of this project.

    ``message`` says what was got and what was expected, ``hint`` what to do next (no full stop), ``details``
    carries JSON values for programs.
    """

    exit_status = 1

    def __init__(
        self, code: str, message: str, *, hint: str = "", details: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.details = dict(details or {})

    def to_json(self) -> dict[str, object]:
        """The error document of ``--json``."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "hint": self.hint,
                "details": self.details,
            }
        }


class InputError(PolyphonyError):
    """What was given cannot be used."""


class FormatError(InputError):
    """Bytes or a document that break one of our formats."""


class ExpressionError(InputError):
    """An expression that is refused (too big, unknown name) or that failed on its values."""


class TrustError(InputError):
    """A verification step said no.

    ``step`` is 1 to 8, the numbered step of the verification (``polyphony_schemas.verification``).
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        step: int,
        hint: str = "",
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, details={"step": step, **(details or {})})
        self.step = step


class UsageError(PolyphonyError):
    """The call itself is wrong: flags, arguments, inputs of the wrong type."""

    exit_status = 2
