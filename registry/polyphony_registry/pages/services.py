"""What the pages show, as frozen values: everything is ready to print, templates decide nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import cast

from sqlalchemy.orm import Session

from polyphony_registry.packages.services import PackageView, Summary, VersionView, find_package, summaries
from polyphony_registry.pages.grants import whole_of_version
from polyphony_registry.pages.layout import is_drawable
from polyphony_registry.pages.picture import draw, miniature
from polyphony_registry.pages.readme import render_readme
from polyphony_registry.pages.scores import CardKind, Known, Score, score_of
from polyphony_registry.pages.twin import Line, lines_of
from polyphony_schemas.permissions.keys import Declared
from polyphony_schemas.permissions.words import describe
from polyphony_schemas.values import JsonObject, JsonValue

_UNITS = ((365 * 86_400, "year"), (30 * 86_400, "month"), (86_400, "day"), (3_600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Moment:
    """A time for people and for machines."""

    iso: str
    day: str
    age: str


@dataclass(frozen=True, slots=True)
class Port:
    """An input, parameter or output in a table."""

    name: str
    what: str
    note: str


@dataclass(frozen=True, slots=True)
class PackagePage:
    """One version of a package as its page shows it."""

    package: PackageView
    version: VersionView
    is_latest: bool
    kind: str
    readme: str
    picture: str
    twin: tuple[Line, ...]
    permissions: tuple[str, ...]
    gets: tuple[str, ...]
    private: tuple[str, ...]
    inputs: tuple[Port, ...]
    parameters: tuple[Port, ...]
    outputs: tuple[Port, ...]
    install: str
    run: str
    clone: str
    bind: str
    published: Moment
    source: str


def page_of(
    session: Session, package: PackageView, version: VersionView, *, url: str, bind: str, now: int
) -> PackagePage:
    """Everything the page of a version shows."""
    score = _score(session, version)
    whole = whole_of_version(session, version)
    wanted = f"{version.name}@{version.version}" if version != package.latest else version.name
    return PackagePage(
        package=package,
        version=version,
        is_latest=version == package.latest,
        kind=version.role or version.kind,
        readme=render_readme(version.readme),
        picture=draw(score, f"Graph of {version.name}: the list below says the same") if score else "",
        twin=lines_of(score) if score else (),
        permissions=tuple(describe(declared(version.permissions))),
        gets=() if whole is None else tuple(describe(whole.grants)),
        private=() if whole is None else tuple(whole.private),
        inputs=_ports(version.document.get("inputs")),
        parameters=_parameters(version.document.get("parameters")),
        outputs=_ports(version.document.get("outputs")),
        install=f"polyphony install {wanted}",
        run=f"polyphony run {version.name}" if version.kind == "melody" else "",
        clone=f"git clone {url}/git/{version.name}.git",
        bind=bind,
        published=moment(version.published, now),
        source=version.source if version.source.startswith("https://") else "",
    )


def miniatures(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Thumbnails of the newest versions of melodies, by name."""
    found = {}
    for name in names:
        owner, _, package = name.partition("/")
        score = _score(session, find_package(session, owner, package).latest)
        if score is not None:
            found[name] = miniature(score)
    return found


def declared(document: Mapping[str, JsonValue]) -> Declared:
    """A stored permissions document as plain values."""
    return cast("Declared", document)


def moment(at: int, now: int) -> Moment:
    """A unix time, and how long ago it is."""
    when = datetime.fromtimestamp(at, UTC)
    return Moment(when.isoformat(), f"{when.day} {when:%B %Y}", age(now - at))


def age(seconds: int) -> str:
    """``3 days ago``, ``just now``."""
    for length, unit in _UNITS:
        count = seconds // length
        if count >= 1:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def _score(session: Session, version: VersionView) -> Score | None:
    if version.kind != "melody":
        return None
    known = {found.name: _known(found) for found in summaries(session, list(version.dependencies))}
    return _cached_score(version.tree, _Frozen(version.document, known))


class _Frozen:
    """Arguments that the cache does not look at: the tree id and the known names decide."""

    def __init__(self, document: JsonObject, packages: Mapping[str, Known]) -> None:
        self.document = document
        self.packages = packages

    def __hash__(self) -> int:
        return hash(frozenset(self.packages.items()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Frozen) and dict(self.packages) == dict(other.packages)


@lru_cache(maxsize=128)
def _cached_score(tree: str, given: _Frozen) -> Score | None:  # noqa: ARG001  # the tree id is the key
    score = score_of(given.document, given.packages)
    return score if is_drawable(score) else None


def _known(found: Summary) -> Known:
    kind = found.role if found.kind == "extension" else "melody"
    return Known(cast("CardKind", kind), found.summary)


def _ports(value: JsonValue) -> tuple[Port, ...]:
    if not isinstance(value, Mapping):
        return ()
    return tuple(_port(name, port) for name, port in value.items())


def _port(name: str, port: JsonValue) -> Port:
    if not isinstance(port, Mapping):
        return Port(name, "", str(port))
    schema = port.get("schema")
    note = ""
    if "default" in port:
        note = f"default {json.dumps(port['default'], ensure_ascii=False)}"
    elif port.get("required") is False:
        note = "optional"
    return Port(name, type_of(schema), note)


def _parameters(value: JsonValue) -> tuple[Port, ...]:
    properties = value.get("properties") if isinstance(value, Mapping) else None
    if not isinstance(value, Mapping) or not isinstance(properties, Mapping):
        return ()
    required = value.get("required")
    needed = set(required) if isinstance(required, list) else set()
    found = []
    for name, schema in properties.items():
        note = "required" if name in needed else ""
        if isinstance(schema, Mapping):
            note = str(schema.get("description") or note)
        found.append(Port(name, type_of(schema), note))
    return tuple(found)


def type_of(schema: JsonValue) -> str:
    """A JSON Schema in two words."""
    if not isinstance(schema, Mapping):
        return "anything"
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return reference.rsplit(":", 1)[-1]
    kind = schema.get("format") or schema.get("type") or ("one of a list" if "enum" in schema else "anything")
    if schema.get("type") == "array" and isinstance(schema.get("items"), Mapping):
        return f"list of {type_of(schema['items'])}"
    return str(kind)
