"""What can be wrong with the log itself, and with questions about it."""

from __future__ import annotations

from polyphony_registry.errors import RegistryError


class LogError(RegistryError):
    """The stored log contradicts itself, or a proof is asked for that is not kept."""
