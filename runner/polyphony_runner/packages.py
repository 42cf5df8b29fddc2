"""Finding the package that a node names: overrides, folders of the same package, then lock and store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, runtime_checkable

from polyphony_runner.errors import ClientError
from polyphony_runner.files import read_document
from polyphony_schemas.names import (
    EXTENSION_FILES,
    MELODY_FILES,
    CoreReference,
    LocalReference,
    PackageReference,
    parse_uses,
)
from polyphony_schemas.program import MelodyStart, Program
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class Package:
    """An extension that can be run, or a melody: its folder (mounted read-only) and what its manifest says.

    ``tree`` is None for an overridden or in-place package (``local``): nothing vouches for it. ``name`` is
    ``owner/name`` where a registry gave it one, else the manifest's own.
    """

    root: Path
    program: Program
    tree: TreeId | None = None
    local: bool = False
    name: str = ""


class PackageSource(Protocol):
    """Where packages come from.

    Contract: gives the same package for the same words during one run; never touches the network; a package that
    nobody has is None, one that is there but broken raises a ``PolyphonyError``.
    """

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The package that ``uses`` means when written in a document of the folder ``relative_to``."""
        ...


@dataclass(frozen=True, slots=True)
class PackageTable:
    """Packages already found, by the words of ``uses``: what a run keeps, and what tests hand in."""

    packages: Mapping[str, Package] = field(default_factory=dict)

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The package under these exact words; the folder does not matter any more."""
        del relative_to
        return self.packages.get(uses)


@dataclass(frozen=True, slots=True)
class Sources:
    """Several sources, asked in their order."""

    sources: Sequence[PackageSource]

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The first answer."""
        for source in self.sources:
            if (package := source.find(uses, relative_to)) is not None:
                return package
        return None


@dataclass(frozen=True, slots=True)
class OverriddenPackages:
    """Development overrides: ``owner/name`` to a folder, whatever range is asked for."""

    folders: Mapping[str, Path]

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The package in the folder that stands in for this name."""
        del relative_to
        reference = parse_uses(uses)
        if not isinstance(reference, PackageReference) or reference.full_name not in self.folders:
            return None
        return read_package(self.folders[reference.full_name], local=True, name=reference.full_name)


@dataclass(frozen=True, slots=True)
class FolderPackages:
    """``./path``: folders of the package at ``root``, which is ``local`` unless it has a tree id."""

    root: Path
    tree: TreeId | None = None

    def find(self, uses: str, relative_to: Path) -> Package | None:
        """The extension or melody in a folder of the same package; PLY2405 for one that lies outside."""
        reference = parse_uses(uses)
        if not isinstance(reference, LocalReference):
            return None
        folder = (relative_to / reference.path).resolve()
        if not folder.is_relative_to(self.root.resolve()):
            raise ClientError(
                "PLY2405",
                f"{uses!r} lies outside the package {str(self.root)!r}",
                hint="use a published package, or an override for development",
            )
        return read_package(folder, tree=self.tree, local=self.tree is None, within=self.root.resolve())


@runtime_checkable
class ConsumerSource(PackageSource, Protocol):
    """A source in which the same words mean different packages, by the package whose document says them."""

    def for_consumer(self, key: str) -> PackageSource:
        """The source for the documents of ``owner/name@version``."""
        ...


def for_consumer(source: PackageSource, key: str) -> PackageSource:
    """What a source gives to the documents of ``owner/name@version``."""
    if isinstance(source, Sources):
        return Sources([for_consumer(one, key) for one in source.sources])
    return source.for_consumer(key) if isinstance(source, ConsumerSource) else source


def is_core(uses: str) -> bool:
    """Whether a node belongs to the Conductor itself."""
    return isinstance(parse_uses(uses), CoreReference)


def read_package(
    root: Path,
    *,
    tree: TreeId | None = None,
    local: bool = False,
    name: str = "",
    within: Path | None = None,
) -> Package:
    """The extension or melody in a folder; PLY2406 when it holds neither, PLY1400 or PLY1500 when it is invalid."""
    for file in MELODY_FILES:
        path = root / file
        if path.is_file() and not path.is_symlink():  # a link may lead out of the package
            return _read_melody(path, tree=tree, local=local, name=name, within=within or root)
    return read_extension(root, tree=tree, local=local, name=name, within=within)


def _read_melody(path: Path, *, tree: TreeId | None, local: bool, name: str, within: Path) -> Package:
    from polyphony_runner.folder_schemas import folder_schemas
    from polyphony_schemas.graph.interface import melody_interface
    from polyphony_schemas.loading import load_melody

    schemas = folder_schemas(path.relative_to(within).as_posix(), within)
    melody = load_melody(read_document(path, follow=False), str(path))
    program = Program(melody_interface(melody, schemas), MelodyStart())
    return Package(path.parent, program, tree, local, name or melody.name)


def read_extension(
    root: Path,
    *,
    tree: TreeId | None = None,
    local: bool = False,
    name: str = "",
    within: Path | None = None,
) -> Package:
    """The extension in a folder; PLY2406 when it has none, ``FormatError`` PLY1500 when its manifest is invalid.

    ``within`` is the package that the folder is a part of: its schemas may refer to files of the whole.
    """
    from polyphony_runner.folder_schemas import folder_schemas
    from polyphony_schemas.graph.interface import extension_program
    from polyphony_schemas.loading import load_extension

    for file in EXTENSION_FILES:
        path = root / file
        if path.is_file() and not path.is_symlink():  # a link may lead out of the package
            package = within or root
            schemas = folder_schemas(path.relative_to(package).as_posix(), package)
            manifest = load_extension(read_document(path, follow=False), str(path), schemas=schemas)
            program = extension_program(manifest, schemas)
            return Package(root, program, tree, local, name or manifest.name)
    raise ClientError(
        "PLY2406",
        f"no extension.yaml in {str(root)!r}",
        hint="polyphony new extension DIR makes one",
    )
