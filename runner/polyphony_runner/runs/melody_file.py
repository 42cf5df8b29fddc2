"""From a path to a compiled melody: the document, the packages it names, the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.files import read_document
from polyphony_runner.folder_schemas import folder_schemas
from polyphony_runner.packages import Package, PackageSource, is_core
from polyphony_runner.runs.errors import RunError
from polyphony_schemas.graph.compile import compile_melody
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.loading import load_melody
from polyphony_schemas.melody import Melody
from polyphony_schemas.names import EXTENSION_FILES, MELODY_FILES
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.permissions.keys import Grants
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class MelodyFile:
    """A melody document on disk. ``folder`` is the root of its package."""

    path: Path
    folder: Path
    melody: Melody

    @property
    def ceiling(self) -> Grants:
        """What the melody's nodes may have at most, as written."""
        return ceiling_of(self.melody.config.permissions)


def read_melody(path: Path) -> MelodyFile:
    """Read the melody at a path (folder or file); PLY2404 when there is none, PLY1400 when it is invalid."""
    file = find_melody(path)
    return MelodyFile(file, file.parent, load_melody(read_document(file), file.name))


def find_melody(path: Path) -> Path:
    """The melody's file, absolute."""
    candidates = [path / name for name in MELODY_FILES] if path.is_dir() else [path]
    for file in candidates:
        if file.is_file():
            return file.absolute()
    if any((path / name).is_file() for name in EXTENSION_FILES):
        raise RunError(
            "PLY2404",
            f"{str(path)!r} holds an extension, expected a melody",
            hint="a melody runs it: name the folder in a node's uses",
        )
    known = "the folder holds none" if path.is_dir() else "there is no such file or folder"
    raise RunError(
        "PLY2404", f"there is no melody at {str(path)!r}: {known}", hint="polyphony new melody DIR makes one"
    )


def find_packages(melody: MelodyFile, source: PackageSource) -> dict[str, Package]:
    """Every package the melody names, by the words of ``uses``; PLY2408 names all that are missing."""
    found: dict[str, Package] = {}
    missing: list[str] = []
    for uses in sorted(set(_uses(melody.melody.model_dump(mode="json", by_alias=True)["nodes"]))):
        if is_core(uses):
            continue
        package = source.find(uses, melody.folder)
        if package is None:
            missing.append(uses)
        else:
            found[uses] = package
    if missing:
        raise RunError(
            "PLY2408",
            f"not installed: {', '.join(missing)}",
            hint=f"polyphony install {' '.join(missing)}",
            details={"missing": missing},
        )
    return found


def compile_file(melody: MelodyFile, packages: Mapping[str, Package]) -> CompiledMelody:
    """The graph; ``FormatError`` PLY1600 when the melody is invalid."""
    interfaces = {uses: package.program.interface for uses, package in packages.items()}
    return compile_melody(melody.melody, interfaces, folder_schemas(melody.path.name, melody.folder))


def _uses(nodes: JsonValue) -> Iterator[str]:
    if not isinstance(nodes, Mapping):
        return
    for node in nodes.values():
        if isinstance(node, Mapping):
            if isinstance(uses := node.get("uses"), str):
                yield uses
            yield from _uses(node.get("nodes"))
