"""Which artifacts an event names: files and folders in values, values that lie outside the journal.

A file or folder is ``{"digest","name","media_type","size"}``, wherever it stands in a value; a value that lies outside
is a mark ``{"digest","size"}`` under ``data.stored`` (docs/journal.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from polyphony_runner.artifacts.manifest import is_digest
from polyphony_schemas.values import JsonObject, JsonValue

_KEYS = frozenset({"digest", "name", "media_type", "size"})


def is_reference(value: JsonValue) -> bool:
    """Whether a value stands for a file or folder artifact."""
    return (
        isinstance(value, Mapping)
        and value.keys() >= _KEYS
        and is_digest(str(value["digest"]))
        and isinstance(value["size"], int)
    )


def references_in(value: JsonValue) -> Iterator[JsonObject]:
    """Every file or folder artifact that a value names, at any depth."""
    if isinstance(value, Mapping):
        if is_reference(value):
            yield value
            return
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from references_in(item)


def stored_in(data: JsonObject) -> Iterator[tuple[str, JsonObject]]:
    """Pointer and mark of every value of an event that lies outside the journal."""
    stored = data.get("stored")
    for pointer, mark in stored.items() if isinstance(stored, Mapping) else ():
        if isinstance(mark, Mapping) and is_digest(str(mark.get("digest"))):
            yield pointer, mark
