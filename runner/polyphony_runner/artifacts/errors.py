"""What can go wrong with artifacts (PLY23, and PLY28 for stores and cleaning up)."""

from __future__ import annotations

from polyphony_schemas.errors import InputError


class ArtifactError(InputError):
    """An artifact is missing, damaged, or what should become one cannot be kept."""
