"""What ``validate`` looks at: the package around a path, and the packages it uses as far as they are here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from polyphony_schemas.errors import PolyphonyError, UsageError

if TYPE_CHECKING:
    from polyphony_runner.home import Home
    from polyphony_runner.packages import PackageSource
    from polyphony_schemas.problems import Problem
    from polyphony_schemas.program import PackageInterface


def validate_path(path: Path, home: Home) -> list[Problem]:
    """All problems of the package at a folder or file; file names are as seen from the current folder.

    ``home`` is asked for locked packages, when the document names any; the network never is.
    """
    from polyphony_runner.folder_files import FolderFiles
    from polyphony_schemas.validate import validate_tree

    manifest = find_manifest(path)
    root = manifest.parent
    files = FolderFiles(root)
    problems = validate_tree(files, manifest.name, _packages(files, manifest, home))
    shown = Path(os.path.relpath(root))
    return [replace(problem, file=(shown / problem.file).as_posix()) for problem in problems]


def find_manifest(path: Path) -> Path:
    """The manifest that a folder or file means; UsageError (PLY7301, PLY7302) when there is none."""
    from polyphony_schemas.names import MANIFESTS

    if path.is_dir():
        found = [path / name for name in MANIFESTS if (path / name).is_file()]
        if found:
            return found[0].absolute()
        raise UsageError(
            "PLY7301",
            f"{str(path)!r} holds neither melody.yaml nor extension.yaml",
            hint="polyphony new melody DIR makes one",
        )
    if not path.is_file():
        raise UsageError(
            "PLY7302", f"there is no {str(path)!r}", hint="name a folder, or a melody or extension file"
        )
    return path.absolute()


def _packages(files: Mapping[str, bytes], manifest: Path, home: Home) -> dict[str, PackageInterface]:
    """Packages of registries that overrides, or lock and store, have; the others stay unknown."""
    from polyphony_runner.locked_packages import packages_for_path
    from polyphony_runner.packages import OverriddenPackages, Sources
    from polyphony_runner.runs.overrides import read_overrides
    from polyphony_schemas.yaml12 import read_document

    document = read_document(files[manifest.name], manifest.name)
    wanted = sorted(set(_package_uses(document.value)))
    if not wanted:
        return {}
    overridden = OverriddenPackages(read_overrides(manifest.parent, ()))
    source = Sources([overridden, packages_for_path(home, manifest.parent)])
    found: dict[str, PackageInterface] = {}
    for uses in wanted:
        interface = _interface(source, uses, manifest.parent)
        if interface is not None:
            found[uses] = interface
    return found


def _interface(source: PackageSource, uses: str, folder: Path) -> PackageInterface | None:
    """The outside of one package; what is broken there counts as not here."""
    try:
        package = source.find(uses, folder)
    except PolyphonyError:
        return None
    return None if package is None else package.program.interface


def _package_uses(value: object) -> Iterator[str]:
    """Everything under a key ``uses`` that names a package of a registry; the shape is not checked yet."""
    if isinstance(value, dict):
        uses = value.get("uses")
        if isinstance(uses, str) and "@" in uses and not uses.startswith("."):
            yield uses
        for item in value.values():
            yield from _package_uses(item)
    elif isinstance(value, list):
        for item in value:
            yield from _package_uses(item)
