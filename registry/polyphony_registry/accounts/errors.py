"""Tokens and what they allow."""

from __future__ import annotations

from polyphony_registry.errors import RegistryError


class AccountError(RegistryError):
    """Not known, or not allowed. 401 asks for a token, 403 says this one does not do."""

    default_status = 403
