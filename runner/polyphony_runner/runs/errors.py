"""What stands in the way of a run before its first node (PLY2402 to PLY2418)."""

from __future__ import annotations

from polyphony_schemas.errors import InputError


class RunError(InputError):
    """A run cannot be begun, found or taken up."""


class RunConsentError(RunError):
    """A person has to agree first; ``details`` holds ``permissions`` and ``digest``."""
