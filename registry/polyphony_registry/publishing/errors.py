"""Why a version is refused."""

from __future__ import annotations

from polyphony_registry.errors import RegistryError


class PublishError(RegistryError):
    """A version that is not taken. Nothing was kept but the staging ref."""

    default_status = 422
