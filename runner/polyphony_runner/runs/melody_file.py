"""From a path to a compiled melody: the document, and its graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.files import read_document
from polyphony_runner.folder_schemas import folder_schemas
from polyphony_runner.packages import Package
from polyphony_runner.runs.errors import RunError
from polyphony_schemas.graph.compile import compile_melody
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.loading import load_melody
from polyphony_schemas.melody import Melody
from polyphony_schemas.names import EXTENSION_FILES, MELODY_FILES
from polyphony_schemas.permissions.declared import ceiling_of
from polyphony_schemas.permissions.keys import Grants


@dataclass(frozen=True, slots=True)
class MelodyFile:
    """A melody document on disk. ``folder`` is its own, ``root`` that of the package it is a part of."""

    path: Path
    folder: Path
    melody: Melody
    root: Path

    @property
    def ceiling(self) -> Grants:
        """What the melody's nodes may have at most, as written."""
        return ceiling_of(self.melody.config.permissions)


def read_melody(path: Path, within: Path | None = None) -> MelodyFile:
    """Read the melody at a path (folder or file); PLY2404 when there is none, PLY1400 when it is invalid.

    ``within`` is the package that its folder is a part of, by default the folder itself.
    """
    file = find_melody(path)
    return MelodyFile(file, file.parent, load_melody(read_document(file), file.name), within or file.parent)


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


def compile_file(melody: MelodyFile, packages: Mapping[str, Package]) -> CompiledMelody:
    """The graph; ``FormatError`` PLY1600 when the melody is invalid."""
    interfaces = {uses: package.program.interface for uses, package in packages.items()}
    document = melody.path.resolve().relative_to(melody.root.resolve()).as_posix()
    return compile_melody(melody.melody, interfaces, folder_schemas(document, melody.root))
