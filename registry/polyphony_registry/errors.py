"""The registry's errors. Each knows its HTTP status; ``web`` turns them into problem+json.

RegistryError                 status 500
├── SetupError                the data folder, its settings or the log key (command line)
├── RequestError    400       the request itself cannot be understood
├── UnknownError    404       no such package, version, namespace, path
├── BusyError       503       every slot is taken
├── AccountError    401/403   tokens and what they allow          accounts/errors.py
├── NamingError     409/422   names that cannot be had            namespaces/errors.py
├── GitError        4xx/5xx   pushes and repositories             git/errors.py
├── PublishError    409/422   versions that are refused           publishing/errors.py
└── LogError        500/404   the log contradicts itself, proofs  log/errors.py
"""

from __future__ import annotations

from collections.abc import Mapping

from polyphony_schemas.errors import PolyphonyError


class RegistryError(PolyphonyError):
    """Base of the server's errors; ``status`` is the HTTP status."""

    default_status = 500

    def __init__(
        self,
        code: str,
        message: str,
        *,
        hint: str = "",
        details: Mapping[str, object] | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(code, message, hint=hint, details=details)
        self.status = status or self.default_status


class SetupError(RegistryError):
    """The data folder, its settings or the log key are not as they must be."""


class RequestError(RegistryError):
    """The request cannot be understood."""

    default_status = 400


class UnknownError(RegistryError):
    """What was asked for is not here."""

    default_status = 404


class BusyError(RegistryError):
    """Every slot is taken; ask again later."""

    default_status = 503
