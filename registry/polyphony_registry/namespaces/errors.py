"""Names that cannot be had."""

from __future__ import annotations

from polyphony_registry.errors import RegistryError


class NamingError(RegistryError):
    """A name that is impossible, reserved, or taken."""

    default_status = 422
