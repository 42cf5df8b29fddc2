"""From a melody on disk to the whole that a run needs: its graph, those of the melodies it uses, every package once.

Each package names others in its own words, so each has an ``Origin``: the folder of its ``./path``, and the source of
what it names. The key of a package is what the run's own melody says (``owner/name@range``, ``./path``); what is
named further in is ``owner/name@version``, a folder of that ``owner/name@version:./path``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from polyphony_runner.packages import (
    FolderPackages,
    OverriddenPackages,
    Package,
    PackageSource,
    Sources,
    for_consumer,
    is_core,
)
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.melody_file import MelodyFile, compile_file, read_melody
from polyphony_schemas.graph.linking import SELF, Unlinked, link
from polyphony_schemas.graph.model import CompiledMelody, Graph
from polyphony_schemas.names import PackageReference, parse_uses
from polyphony_schemas.values import JsonValue, TreeId


@dataclass(frozen=True, slots=True)
class Part:
    """A package of a run. ``origin`` is the ``owner/name@version`` whose ``folder`` it is, empty for the run's own."""

    package: Package
    origin: str
    folder: str


@dataclass(frozen=True, slots=True)
class Linked:
    """A melody with everything it uses, by key."""

    melody: CompiledMelody
    parts: Mapping[str, Part]

    @property
    def packages(self) -> dict[str, Package]:
        """The packages alone."""
        return {key: part.package for key, part in self.parts.items()}


@dataclass(frozen=True, slots=True)
class _Origin:
    key: str
    root: Path
    source: PackageSource


@dataclass(slots=True)
class Linker:
    """Links one melody. ``overrides`` stand in for ``owner/name`` everywhere; ``installed`` knows the registries'."""

    overrides: Mapping[str, Path]
    installed: PackageSource | None
    parts: dict[str, Part] = field(default_factory=dict)
    _melodies: dict[str, Unlinked] = field(default_factory=dict)
    _missing: dict[str, None] = field(default_factory=dict)
    _waiting: list[tuple[str, MelodyFile, _Origin]] = field(default_factory=list)

    def link(self, file: MelodyFile, tree: TreeId | None) -> Linked:
        """The melody and all it leads to; PLY2408 names everything that is missing, PLY1600 what is invalid."""
        own = self._origin("", file.folder, tree)
        self._waiting = [(SELF, file, own)]
        while self._waiting:
            self._read(*self._waiting.pop())
        if self._missing:
            raise RunError(
                "PLY2408",
                f"not installed: {', '.join(self._missing)}",
                hint=f"polyphony install {' '.join(self._missing)}",
                details={"missing": list(self._missing)},
            )
        root = self._melodies.pop(SELF)
        linked = Linked(link(root, self._melodies), self.parts)
        check_extensions(linked)
        return linked

    def _origin(self, key: str, root: Path, tree: TreeId | None) -> _Origin:
        sources: list[PackageSource] = [OverriddenPackages(self.overrides), FolderPackages(root, tree)]
        if self.installed is not None:
            sources.append(for_consumer(self.installed, key) if key and tree else self.installed)
        return _Origin(key, root.resolve(), Sources(sources))

    def _read(self, key: str, file: MelodyFile, origin: _Origin) -> None:
        keys: dict[str, str] = {}
        packages: dict[str, Package] = {}
        lacking = False
        for uses in uses_of(file):
            package = origin.source.find(uses, file.folder)
            if package is None:
                lacking = True
                self._missing[uses] = None
                continue
            packages[uses] = package
            keys[uses] = self._place(uses, package, origin)
        if not lacking:
            self._melodies[key] = Unlinked(compile_file(file, packages), keys)

    def _place(self, uses: str, package: Package, origin: _Origin) -> str:
        """Give a package its key, and line it up to be read when it is a melody."""
        if isinstance(parse_uses(uses), PackageReference):
            named = f"{package.name}@{package.program.interface.version}"
            key = uses if not origin.key else named
            part = Part(package, named, ".")
        else:
            folder = package.root.resolve().relative_to(origin.root).as_posix()
            part = Part(package, origin.key, folder)
            key = _folder_key(origin.key, folder)
        if key != SELF and key not in self.parts:
            self.parts[key] = part
            if package.program.interface.kind == "melody":
                self._line_up(key, part, origin)
        return key

    def _line_up(self, key: str, part: Part, origin: _Origin) -> None:
        package = part.package
        if part.folder == "." and part.origin != origin.key:
            origin = self._origin(part.origin, package.root, package.tree)
        self._waiting.append((key, read_melody(package.root, within=origin.root), origin))


def check_extensions(linked: Linked) -> None:
    """PLY3721 for a package that a melody reaches through others, and that its own ``config.extensions`` does not allow."""
    melodies = {SELF: linked.melody, **linked.melody.melodies}
    uses = {key: packages_in(melody.graph) for key, melody in melodies.items()}
    for key, melody in melodies.items():
        if melody.extensions is None:
            continue
        waiting, seen = [key], {key}
        while waiting:
            by = waiting.pop()
            for used in uses.get(by, ()):
                if used in seen:
                    continue
                seen.add(used)
                waiting.append(used)
                name = _registry_name(linked.parts.get(used))
                if name and not any(fnmatchcase(name, rule) for rule in melody.extensions):
                    through = "" if by == key else f" by way of {melodies[by].name}"
                    raise RunError(
                        "PLY3721",
                        f"the melody {melody.name!r} uses {name}{through}, which its config.extensions does not allow",
                        hint=f"add {name} to config.extensions of {melody.name}, or use another package",
                    )


def packages_in(graph: Graph) -> set[str]:
    """The keys of the packages in a graph, scopes included."""
    found: set[str] = set()
    for node in graph.nodes.values():
        if node.body is not None:
            found |= packages_in(node.body)
        elif node.package is not None:
            found.add(node.package)
    return found


def _registry_name(part: Part | None) -> str:
    """``owner/name`` of a package of a registry; nothing for a folder, which belongs to whom it lies in."""
    return "" if part is None or part.folder != "." else part.origin.rpartition("@")[0]


def _folder_key(origin: str, folder: str) -> str:
    """The key of a folder of a package; the package itself for ``.``."""
    if folder == ".":
        return origin or SELF
    return f"{origin}:./{folder}" if origin else f"./{folder}"


def uses_of(file: MelodyFile) -> list[str]:
    """The packages that a melody names, sorted, as written."""
    document = file.melody.model_dump(mode="json", by_alias=True)
    return [uses for uses in sorted(set(_uses(document["nodes"]))) if not is_core(uses)]


def _uses(nodes: JsonValue) -> Iterator[str]:
    if not isinstance(nodes, Mapping):
        return
    for node in nodes.values():
        if isinstance(node, Mapping):
            if isinstance(uses := node.get("uses"), str):
                yield uses
            yield from _uses(node.get("nodes"))
