"""The JSON Schemas of a package on disk: a document's own, and the files that it refers to."""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.folder_files import FolderFiles
from polyphony_schemas.graph.schemas import JsonFiles, Schemas


class _LazyFiles(JsonFiles):
    """JSON files of a folder that is listed only when a schema refers to one: it may be a large project."""

    def __bool__(self) -> bool:
        return True


def folder_schemas(document: str, root: Path) -> Schemas:
    """What the schemas of the document at the path ``document`` below ``root`` may refer to."""
    return Schemas(document, _LazyFiles(FolderFiles(root)))
