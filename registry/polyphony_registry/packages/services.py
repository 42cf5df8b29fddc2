"""Reading the catalogue: frozen values for views and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from polyphony_registry.errors import UnknownError
from polyphony_registry.packages.models import Package, Version
from polyphony_schemas.semver import Version as SemVer
from polyphony_schemas.values import JsonObject, JsonValue


@dataclass(frozen=True, slots=True)
class Summary:
    """A package in a list: its newest version in a few words."""

    name: str
    version: str
    kind: str
    role: str
    summary: str
    keywords: tuple[str, ...]
    published: int

    def to_json(self) -> dict[str, object]:
        """The object of search answers."""
        return {
            "name": self.name,
            "version": self.version,
            "kind": self.kind,
            "role": self.role,
            "summary": self.summary,
            "keywords": list(self.keywords),
            "published": self.published,
        }


@dataclass(frozen=True)
class VersionView:
    """One version, everything a page or the API shows of it."""

    name: str
    version: str
    kind: str
    role: str
    summary: str
    license: str
    keywords: tuple[str, ...]
    commit: str
    tree: str
    permissions_digest: str
    permissions: Mapping[str, JsonValue]
    dependencies: Mapping[str, str]
    document: JsonObject
    readme: str
    source: str
    bundle: str
    signer: str
    index: int
    published: int

    @cached_property
    def order(self) -> SemVer:
        """For sorting."""
        return SemVer.parse(self.version)

    def to_json(self) -> dict[str, object]:
        """The object of ``/api/v1/packages/OWNER/NAME``."""
        return {
            "version": self.version,
            "kind": self.kind,
            "role": self.role,
            "summary": self.summary,
            "license": self.license,
            "keywords": list(self.keywords),
            "commit": self.commit,
            "tree": self.tree,
            "permissions": self.permissions,
            "permissions_digest": self.permissions_digest,
            "dependencies": self.dependencies,
            "bundle": self.bundle,
            "signer": self.signer,
            "log_index": self.index,
            "published": self.published,
        }


@dataclass(frozen=True)
class PackageView:
    """A package with its versions, newest first."""

    owner: str
    name: str
    created: int
    versions: tuple[VersionView, ...]
    latest: VersionView

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"

    def version(self, text: str) -> VersionView:
        """One version. Raises UnknownError PLY4206."""
        for version in self.versions:
            if version.version == text:
                return version
        raise UnknownError(
            "PLY4206",
            f"{self.full_name} has no version {text!r}",
            hint=f"its versions: {', '.join(v.version for v in self.versions[:8])}",
        )


_COLUMNS = [one.name for one in fields(VersionView) if one.name not in ("name", "keywords")]


def find_package(session: Session, owner: str, name: str) -> PackageView:
    """A package and all its versions. Raises UnknownError PLY4205."""
    package = session.scalar(select(Package).where(Package.owner == owner, Package.name == name))
    if package is None:
        raise UnknownError("PLY4205", f"no package {owner}/{name}", hint="polyphony search finds packages")
    rows = session.scalars(select(Version).where(Version.package == package.id))
    versions = sorted((view_of(package, row) for row in rows), key=lambda view: view.order, reverse=True)
    latest = next(view for view in versions if view.version == package.latest)
    return PackageView(owner, name, package.created, tuple(versions), latest)


def summaries(session: Session, names: Sequence[str]) -> list[Summary]:
    """The packages of these names, in their order; names that are gone are left out."""
    if not names:
        return []
    rows = session.execute(_latest().where((Package.owner + "/" + Package.name).in_(names)))
    found = {package.full_name: _summary(package, version) for package, version in rows}
    return [found[name] for name in names if name in found]


def newest(session: Session, limit: int, *, kind: str = "") -> list[Summary]:
    """The packages with the most recent versions, of one kind or of all."""
    wanted = _latest().where(Version.kind == kind) if kind else _latest()
    rows = session.execute(wanted.order_by(Version.index.desc()).limit(limit))
    return [_summary(package, version) for package, version in rows]


def of_owner(session: Session, owner: str) -> list[Summary]:
    """The packages of a namespace, by name."""
    rows = session.execute(_latest().where(Package.owner == owner).order_by(Package.name))
    return [_summary(package, version) for package, version in rows]


def counts(session: Session) -> tuple[int, int]:
    """How many packages and versions there are."""
    packages = session.scalar(select(func.count()).select_from(Package)) or 0
    versions = session.scalar(select(func.count()).select_from(Version)) or 0
    return packages, versions


def view_of(package: Package, row: Version) -> VersionView:
    """The frozen value of a row: its columns under their own names."""
    columns = {name: getattr(row, name) for name in _COLUMNS}
    return VersionView(name=package.full_name, keywords=tuple(row.keywords), **columns)


def highest(versions: Sequence[str]) -> str:
    """The version a package is shown by: the highest that is no pre-release, else the highest."""
    parsed = sorted((SemVer.parse(text), text) for text in versions)
    releases = [text for version, text in parsed if not version.pre]
    return releases[-1] if releases else parsed[-1][1]


def _latest() -> Select[Package, Version]:
    return select(Package, Version).join(
        Version, (Version.package == Package.id) & (Version.version == Package.latest)
    )


def _summary(package: Package, version: Version) -> Summary:
    return Summary(
        package.full_name,
        version.version,
        version.kind,
        version.role,
        version.summary,
        tuple(version.keywords),
        version.published,
    )
