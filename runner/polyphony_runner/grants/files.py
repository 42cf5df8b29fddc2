"""The file side of one execution: granted paths and artifacts as mounts, values rewritten, results mapped back.

``plan`` resolves and checks everything; ``prepare`` makes private copies; ``apply`` brings reviewed changes back to
the host after success.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from polyphony_runner.grants import changes, copies, links, nested
from polyphony_runner.grants.apply import apply as apply_changes
from polyphony_runner.grants.layout import Placement, inside_of, place_all, relative_result
from polyphony_runner.grants.patch import patch
from polyphony_runner.grants.paths import Boundaries, check, kind_of, resolve
from polyphony_runner.grants.ports import Marked, has_mark, replace_marked
from polyphony_runner.grants.safe_files import clean_name
from polyphony_runner.grants.values import Grants, path_grants
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.sandbox.spec import Mount
from polyphony_schemas.values import JsonObject, JsonValue

_INPUT = re.compile(r"\$\{\s*inputs\.([a-z][a-z0-9_]*)\s*\}")


class Artifacts(Protocol):
    """What is asked of the artifact store: read-only places of kept files and folders."""

    def file(self, digest: str) -> Path:
        """A read-only file with these bytes."""
        ...

    def directory(self, digest: str) -> Path:
        """A read-only folder with this content."""
        ...


@dataclass(frozen=True, slots=True)
class Applied:
    """Lines that say what was applied and withheld, and the changes themselves as a patch (empty: none)."""

    lines: tuple[str, ...]
    patch: str


@dataclass(slots=True)
class FilePlan:
    """What one execution mounts and how its values read inside.

    ``values`` are the rewritten inputs and parameters by name. ``copied`` holds, for each ``mode: copy`` grant,
    the stamps of the host's files at the time of the copy; ``guarded`` the names at the top of direct grants (for
    links with a protected name their target, else None), ``deeper`` the protected names below those, ``outward`` the
    links that led out before.
    """

    placements: list[Placement] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    values: dict[str, JsonValue] = field(default_factory=dict)
    copied: list[tuple[Placement, dict[str, copies.Stamp]]] = field(default_factory=list)
    guarded: dict[Path, dict[str, str | None]] = field(default_factory=dict)
    deeper: dict[Path, dict[str, nested.Identity]] = field(default_factory=dict)
    outward: dict[Path, frozenset[tuple[str, str]]] = field(default_factory=dict)

    @property
    def direct(self) -> list[Path]:
        """Host paths the node writes to at once; one writer at a time."""
        return [place.host for place in self.placements if place.grant.direct]

    @property
    def has_copies(self) -> bool:
        """Whether ``prepare`` and ``apply`` have anything to do."""
        return any(_copied(place) for place in self.placements)

    def prepare(self, work: Path) -> None:
        """Make the private copies of ``mode: copy`` grants in the work folder. Blocking."""
        for place in self.placements:
            if _copied(place):
                stamps = copies.copy_tree(_host(place), copies.Tree(work, place.name))
                self.copied.append((place, stamps))

    def guard(self) -> None:
        """Make what is protected deeper in direct grants read-only, and remember which links lead out of them now.

        Blocking; once the tree is ours alone. NodeError PLY3411 for a folder that holds too much to be guarded.
        """
        self.outward = {folder: links.outward(folder) for folder in self.direct if folder.is_dir()}
        for place in self.placements:
            if place.host not in self.guarded:
                continue
            found = self.deeper[place.host] = nested.protected_below(place.host)
            self.mounts += [
                Mount(place.host / path, f"{place.inside}/{path}", "ro")
                for path, identity in found.items()
                if not isinstance(identity, str)
            ]

    def apply(self, work: Path) -> Applied:
        """Review and apply what changed in the private copies; the tree must be dead. Blocking.

        NodeError, with nothing applied, when a review says no.
        """
        reviews = [
            (place, before, changes.review(before, _host(place), copies.Tree(work, place.name)))
            for place, before in self.copied
        ]
        shown = [
            patch(review.changes, _host(place), copies.Tree(work, place.name)) for place, _, review in reviews
        ]
        lines = []
        for place, before, review in reviews:
            apply_changes(review.changes, before, _host(place), copies.Tree(work, place.name))
            if review.changes:
                lines.append(f"applied {len(review.changes)} changes to {place.host}")
            lines += [f"withheld from {place.host}: {path}" for path in review.withheld]
        return Applied(tuple(lines), "".join(shown))

    def withhold(self) -> list[str]:
        """Take back what a direct grant does not cover; the tree must be dead. Blocking. Returns lines that say so.

        Protected names that appeared are moved aside, not removed: the person may have made them
        meanwhile. New links that lead out are removed: a later grant that names one would reach what it names.
        """
        lines = []
        for folder, before in self.guarded.items():
            for path in sorted(folder.iterdir()):
                if changes.protected(path.name) and _appeared(path, before):
                    aside = path.with_name(f"{path.name}.withheld-{secrets.token_hex(4)}")
                    path.rename(aside)
                    lines.append(f"withheld from {folder}: {path.name}, now {aside.name}")
        for folder, there in self.deeper.items():
            lines += [
                f"withheld from {folder}: {path}, now {aside}"
                for path, aside in nested.move_aside(folder, there)
            ]
        for folder, known in self.outward.items():
            lines += [
                f"removed from {folder}: the link {link!r}, which leads out, to {target!r}"
                for link, target in links.remove_new(folder, known)
            ]
        return lines

    def relative(self, value: JsonValue) -> JsonValue:
        """A result in which places inside are written relative to their grant."""
        if not self.placements:
            return value
        if isinstance(value, str):
            return relative_result(value, self.placements)
        if isinstance(value, Mapping):
            return {key: self.relative(item) for key, item in value.items()}
        if isinstance(value, Sequence):
            return [self.relative(item) for item in value]
        return value


def plan(
    *,
    grants: Grants,
    declared: Sequence[JsonValue],
    schemas: Mapping[str, JsonObject],
    values: JsonObject,
    work: Path,
    boundaries: Boundaries,
    artifacts: Artifacts,
    places: Mapping[str, Path] | None = None,
) -> FilePlan:
    """Resolve and check everything. NodeError of kind ``permission`` when anything is refused.

    ``declared`` are the extension's own path grants as written (they give inputs their names inside), ``schemas``
    and ``values`` the inputs and parameters by name, ``work`` what relative paths are relative to, ``places`` the
    granted paths that were resolved before.
    """
    known = places or {}
    made = FilePlan(values=dict(values))
    resolved = [(grant, known.get(grant.path) or resolve(grant.path, work)) for grant in path_grants(grants)]
    made.placements = place_all(resolved, input_names(declared, values, work) if resolved else {})
    for place in made.placements:
        check(place.host, boundaries)
        made.mounts.extend(_mounts(place, made.guarded))
    artifact_mounts = _ArtifactMounts(artifacts, made.mounts)
    for name, value in values.items():
        schema = schemas.get(name)
        if schema is not None and has_mark(schema):
            rewrite = _Rewrite(name, work, made.placements, artifact_mounts)
            made.values[name] = replace_marked(value, schema, rewrite)
    return made


def input_names(declared: Sequence[JsonValue], values: JsonObject, work: Path) -> dict[Path, str]:
    """Host paths that are granted as exactly ``${ inputs.X }``, with that input's name."""
    names: dict[Path, str] = {}
    for item in declared:
        text = item.get("path") if isinstance(item, Mapping) else item
        found = _INPUT.fullmatch(text) if isinstance(text, str) else None
        value = values.get(found[1]) if found else None
        if found and isinstance(value, str):
            names.setdefault(resolve(value, work), found[1])
    return names


def _copied(place: Placement) -> bool:
    return place.grant.key == "write" and not place.grant.direct


def _host(place: Placement) -> copies.Tree:
    return copies.Tree(place.host.parent, place.host.name)


def _mounts(place: Placement, guarded: dict[Path, dict[str, str | None]]) -> Iterator[Mount]:
    kind = kind_of(place.host, may_be_missing=_copied(place))
    if place.grant.key == "read":
        yield Mount(place.host, place.inside, "copy" if place.grant.private_copy else "ro")
    elif place.grant.direct:
        yield Mount(place.host, place.inside, "rw")
        if kind == "folder" and not changes.protected(place.host.name):
            there = sorted(place.host.iterdir())
            guarded[place.host] = {path.name: _protected_link(path) for path in there}
            for path in there:  # at the top of the grant, protected names stay read-only
                if changes.protected(path.name) and not path.is_symlink():
                    yield Mount(path, f"{place.inside}/{path.name}", "ro")


def _protected_link(path: Path) -> str | None:
    """The target of a link with a protected name: it cannot be mounted read-only as files and folders are."""
    return str(path.readlink()) if path.is_symlink() and changes.protected(path.name) else None


def _appeared(path: Path, before: Mapping[str, str | None]) -> bool:
    return path.name not in before or before[path.name] != _protected_link(path)


@dataclass(frozen=True, slots=True)
class _ArtifactMounts:
    artifacts: Artifacts
    mounts: list[Mount]

    def add(self, port: str, value: JsonValue, kind: Marked) -> JsonValue:
        """Mount one artifact at ``/in/PORT/NAME``; the value gets this as ``path``."""
        if not isinstance(value, Mapping) or not isinstance(value.get("digest"), str):
            raise NodeError("validation", "PLY3509", f"the input {port!r} is no artifact: got {value!r}")
        digest = str(value["digest"])
        source = self.artifacts.directory(digest) if kind == "folder" else self.artifacts.file(digest)
        name = value.get("name")
        base = name if isinstance(name, str) and _plain_name(name) else digest[:12]
        inside, count = f"/in/{port}/{base}", 1
        taken = {mount.inside for mount in self.mounts}
        while inside in taken:
            count += 1
            inside = f"/in/{port}/{base}-{count}"
        self.mounts.append(Mount(source, inside, "ro", shared=True))
        return {**value, "path": inside}


def _plain_name(name: str) -> bool:
    return (
        bool(name) and name not in (".", "..") and "/" not in name and clean_name(name) and len(name) <= 200
    )


@dataclass(frozen=True, slots=True)
class _Rewrite:
    port: str
    work: Path
    placements: Sequence[Placement]
    artifacts: _ArtifactMounts

    def __call__(self, kind: Marked, value: JsonValue) -> JsonValue:
        if kind != "path":
            return self.artifacts.add(self.port, value, kind)
        if not isinstance(value, str):
            raise NodeError(
                "validation", "PLY3404", f"the path input {self.port!r} is no text: got {value!r}"
            )
        host = resolve(value, self.work)
        inside = inside_of(host, self.placements)
        if inside is None:
            raise NodeError(
                "permission",
                "PLY3404",
                f"the input {self.port!r} is {str(host)!r}, which no grant of this node covers",
                hint=f'add it to the node and the ceiling:  permissions: {{read: ["{value}"]}}',
            )
        return inside
