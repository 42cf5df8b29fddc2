"""What belongs to a run, in four categories: inputs, intermediates, outputs, metadata.

Inputs are what the run was given, intermediates what each node gave, outputs what the run gave; metadata is the journal
and what goes with it. A value within the journal has the digest that it would have outside it, so equal values of two
runs can be told from their digests alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from polyphony_runner.conductor.storage import value_bytes
from polyphony_runner.conductor.values import Stored, Value, values_in
from polyphony_runner.journal.file import read_journal
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.references import is_reference, references_in
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonObject, JsonValue

Category = Literal["inputs", "intermediates", "outputs", "metadata"]
CATEGORIES: tuple[Category, ...] = ("inputs", "intermediates", "outputs", "metadata")
_METADATA = {
    "journal.jsonl": "application/jsonl",
    "head.json": "application/json",
    "run.json": "application/json",
    "graph.json": "application/json",
}


@dataclass(frozen=True, slots=True)
class Produced:
    """One file, folder or value of a run; ``size`` in bytes.

    ``port``: the input, output or port it came by, None for a free artifact and for metadata; ``within``: the port's value
    names it somewhere inside. ``value``: it is a JSON value; ``inline`` holds its bytes when it lies in the journal. ``path``: the file of a run's metadata.
    """

    category: Category
    node: str | None
    port: str | None
    name: str
    media_type: str
    size: int
    digest: str
    value: bool = False
    within: bool = False
    inline: bytes | None = None
    path: Path | None = None

    @property
    def stored(self) -> bool:
        """Whether it lies among the artifacts, so that its digest alone finds it."""
        return self.inline is None and self.path is None

    def to_json(self) -> dict[str, object]:
        """The object of ``artifacts list --json``."""
        return {
            "category": self.category,
            "node": self.node,
            "port": self.port,
            "name": self.name,
            "media_type": self.media_type,
            "size": self.size,
            "digest": self.digest,
            "stored": self.stored,
        }


def produced_by(folder: RunFolder, events: Sequence[Event] | None = None) -> list[Produced]:
    """Everything of a run, by category, then in the order of its journal; ``events`` when that was read already."""
    found: list[Produced] = []
    if events is None:
        events = list(read_journal(folder.journal))
    for event in events:
        match event.type:
            case "run.created":
                found += given(event)
            case "node.succeeded" | "node.failed" if event.node is not None:
                found += _values(event, "intermediates", "outputs")
                found += _free(event)
            case "run.finished":
                found += made(event)
    found += _metadata(folder, events)
    return sorted(found, key=lambda one: CATEGORIES.index(one.category))


def given(event: Event) -> Iterator[Produced]:
    """The inputs that ``run.created`` names."""
    return _values(event, "inputs", "inputs")


def made(event: Event) -> Iterator[Produced]:
    """The outputs that ``run.finished`` names."""
    return _values(event, "outputs", "outputs")


def _values(event: Event, category: Category, container: str) -> Iterator[Produced]:
    for name, value in values_in(event.data, container).items():
        yield _value(category, event.node, name, value)
        if not isinstance(value, Stored) and not is_reference(value):
            for reference in references_in(value):
                yield replace(_file(category, event.node, name, reference), within=True)


def _value(category: Category, node: str | None, port: str, value: Value) -> Produced:
    file = f"{port}.json"
    if isinstance(value, Stored):
        return Produced(category, node, port, file, "application/json", value.size, value.digest, value=True)
    for reference in references_in(value) if is_reference(value) else ():
        return _file(category, node, port, reference)
    data = value_bytes(value)
    digest = hashlib.sha256(data).hexdigest()
    return Produced(
        category, node, port, file, "application/json", len(data), digest, value=True, inline=data
    )


def _file(category: Category, node: str | None, port: str | None, reference: JsonObject) -> Produced:
    return Produced(
        category,
        node,
        port,
        str(reference["name"]),
        str(reference["media_type"]),
        int(str(reference["size"])),
        str(reference["digest"]),
    )


def _free(event: Event) -> Iterator[Produced]:
    artifacts: JsonValue = event.data.get("artifacts")
    for reference in references_in(artifacts):
        yield _file("intermediates", event.node, None, reference)


def _metadata(folder: RunFolder, events: Sequence[Event]) -> Iterator[Produced]:
    for name, media_type in _METADATA.items():
        path = folder.path / name
        if path.is_file():
            yield _document(path, None, name, media_type)
    for event in events:
        log = event.data.get("log")
        if isinstance(log, dict) and (path := folder.logs / f"{log['digest']}.jsonl").is_file():
            yield _document(path, event.node, f"logs/{path.name}", "application/jsonl")


def _document(path: Path, node: str | None, name: str, media_type: str) -> Produced:
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return Produced("metadata", node, None, name, media_type, path.stat().st_size, digest, path=path)
