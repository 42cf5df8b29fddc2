"""``melody.local.yaml``: development overrides beside a melody, never part of a package (docs/melody.md).

>>> LocalFile.model_validate({"overrides": {"polyphony/ruff": "../kit/ruff"}}).overrides
{'polyphony/ruff': '../kit/ruff'}
"""

from __future__ import annotations

from pydantic import Field

from polyphony_schemas.documents.base import DocumentModel
from polyphony_schemas.documents.fields import FullName

LOCAL_FILE = "melody.local.yaml"


class LocalFile(DocumentModel):
    """``overrides`` maps ``owner/name`` to a folder, relative to the file."""

    overrides: dict[FullName, str] = Field(default_factory=dict)
