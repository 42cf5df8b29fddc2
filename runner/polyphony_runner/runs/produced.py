"""Which artifacts a run produced, from its journal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class Produced:
    """One artifact and the node that produced it."""

    node: str
    digest: str
    name: str
    media_type: str
    size: int

    def to_json(self) -> dict[str, object]:
        """The object of ``artifacts list --json``."""
        return {
            "node": self.node,
            "digest": self.digest,
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
        }


def produced_by(folder: RunFolder) -> list[Produced]:
    """File ports, free artifacts, and values too large for the journal; each digest of a node once."""
    found: dict[tuple[str, str], Produced] = {}
    for event in read_journal(folder.journal):
        if event.type != "node.succeeded" or event.node is None:
            continue
        stored = event.data.get("stored")
        for pointer, mark in stored.items() if isinstance(stored, Mapping) else ():
            if isinstance(mark, Mapping):
                name = f"{pointer.rpartition('/')[2]}.json"
                one = Produced(
                    event.node, str(mark["digest"]), name, "application/json", int(str(mark["size"]))
                )
                found.setdefault((one.node, one.digest), one)
        for value in (event.data.get("artifacts"), event.data.get("outputs")):
            for reference in _references(value):
                one = Produced(
                    event.node,
                    str(reference["digest"]),
                    str(reference["name"]),
                    str(reference["media_type"]),
                    int(str(reference["size"])),
                )
                found.setdefault((one.node, one.digest), one)
    return list(found.values())


def _references(value: JsonValue) -> Iterator[Mapping[str, JsonValue]]:
    if isinstance(value, Mapping):
        if {"digest", "name", "media_type", "size"} <= value.keys():
            yield value
            return
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for item in value:
            yield from _references(item)
