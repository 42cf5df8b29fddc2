"""The check that `publish` runs: everything validation says at that level, with the packages that are locked here."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.locked_packages import LockedPackages, packages_for_path
from polyphony_runner.manifest import read_manifest
from polyphony_runner.package_files import PackageFiles
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.problems import Problem
from polyphony_schemas.program import PackageInterface
from polyphony_schemas.validate import validate_tree


def publishing_check(home: Home) -> Callable[[PackageFiles, str], list[Problem]]:
    """The check of a package, by its files and its manifest's path. No network."""

    def check(files: PackageFiles, manifest: str) -> list[Problem]:
        texts = files.texts()
        source = packages_for_path(home, files.root)
        return validate_tree(texts, manifest, _interfaces(texts, source), publish=True)

    return check


def _interfaces(texts: dict[str, bytes], source: LockedPackages) -> dict[str, PackageInterface]:
    """The outsides of the locked packages; what is not here stays unknown, and validation says so."""
    try:
        uses = read_manifest(texts).uses
    except ClientError:
        return {}
    found: dict[str, PackageInterface] = {}
    for text in uses:
        try:
            located = source.locate(text)
            package = source.find(text, located.path) if located is not None else None
        except PolyphonyError:
            continue
        if package is not None:
            found[text] = package.program.interface
    return found
