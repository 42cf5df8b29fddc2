"""What a journal names: values, files and folders, logs. Writing and verifying a bundle read it alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from polyphony_runner.artifacts.manifest import DIRECTORY_MEDIA_TYPE, is_digest
from polyphony_runner.runs.references import references_in, stored_in
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue


@dataclass(slots=True)
class Named:
    """Digests with their sizes in bytes. ``folders`` are those of ``files`` that are manifests of folders."""

    values: dict[str, int] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    logs: dict[str, int] = field(default_factory=dict)

    def add(self, event: Event) -> None:
        """Everything that an event names."""
        for _, mark in stored_in(event.data):
            self.values[str(mark["digest"])] = _size(mark.get("size"))
        self.add_references(dict(event.data))
        log = event.data.get("log")
        if isinstance(log, Mapping) and is_digest(str(log.get("digest"))):
            self.logs[str(log["digest"])] = _size(log.get("bytes"))

    def add_references(self, value: JsonValue) -> None:
        """Every file and folder that a value names."""
        for reference in references_in(value):
            digest = str(reference["digest"])
            self.files[digest] = _size(reference["size"])
            if reference["media_type"] == DIRECTORY_MEDIA_TYPE:
                self.folders.add(digest)


def _size(value: JsonValue) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
