"""Finding the package that a node names: overrides, folders of the same package, then the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from polyphony_schemas.extension import Extension
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class Package:
    """An extension that can be run: the folder that is mounted (read-only) and its manifest.

    ``tree`` is None for an overridden or in-place package (``local``): nothing vouches for it. ``name`` is
    ``owner/name`` where a registry gave it one, else the manifest's own.
    """

    root: Path
    manifest: Extension
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
