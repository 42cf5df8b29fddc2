"""What can go wrong with a journal (PLY2101 to PLY2106)."""

from __future__ import annotations

from polyphony_schemas.errors import InputError


class JournalError(InputError):
    """A journal is held by somebody else, broken, or was written behind our back."""


class JournalConflictError(JournalError):
    """Compare-and-append found another next number: somebody else wrote."""
