"""The JSON Schemas of a package on disk: a document's own, and the files that it refers to."""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.folder_files import FolderFiles
from polyphony_schemas.graph.schemas import JsonFiles, Schemas


def folder_schemas(document: str, root: Path) -> Schemas:
    """What the schemas of the document at the path ``document`` below ``root`` may refer to.

    The folder, which may be a large project, is listed only when a schema refers to a file.
    """
    return Schemas(document, JsonFiles(FolderFiles(root)))
