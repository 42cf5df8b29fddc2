"""What can go wrong with artifacts (PLY2301 to PLY2306, PLY2800 to PLY2819)."""

from __future__ import annotations

from polyphony_schemas.errors import InputError


class ArtifactError(InputError):
    """An artifact is missing, damaged, or what should become one cannot be kept."""
