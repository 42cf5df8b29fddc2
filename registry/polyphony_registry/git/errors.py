"""What a git request can be refused for, before or while git runs."""

from __future__ import annotations

from polyphony_registry.errors import RegistryError


class GitError(RegistryError):
    """A push or fetch that is refused, or a git program that failed."""

    default_status = 422
