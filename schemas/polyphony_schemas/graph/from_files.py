"""A melody and everything that it uses, linked from the bytes of their packages: before anything is on a disk.

What is found there may be wrong or missing: then the graph holds what could be read, and ``unknown`` names the rest.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from polyphony_schemas.errors import FormatError
from polyphony_schemas.graph.analysis import analyse
from polyphony_schemas.graph.interface import extension_interface, melody_interface
from polyphony_schemas.graph.linking import SELF, Unlinked, link
from polyphony_schemas.graph.model import CompiledMelody, Graph, Template
from polyphony_schemas.loading import load_extension, load_melody
from polyphony_schemas.melody import Melody
from polyphony_schemas.names import EXTENSION_FILES, MELODY_FILES, LocalReference, parse_uses
from polyphony_schemas.permissions.items import NAMED_AT_NODE
from polyphony_schemas.permissions.whole import UNKNOWN
from polyphony_schemas.program import PackageInterface

# The files of a package by its key; None when nobody has them.
FilesOf = Callable[[str], Mapping[str, bytes] | None]
# The key of the package that a package means by a ``uses`` of a registry.
TargetOf = Callable[[str, str], str | None]


@dataclass(frozen=True, slots=True)
class FromFiles:
    """A linked melody, and the packages that could not be read."""

    melody: CompiledMelody
    unknown: tuple[str, ...]


def link_files(key: str, files: FilesOf, target: TargetOf) -> FromFiles | None:
    """The melody of the package ``key`` with all that it uses; None when the package holds no melody."""
    linking = _Linking(files, target)
    if linking.interface((key, ".")) is None or (key, ".") not in linking.read:
        return None
    melodies: dict[str, Unlinked] = {}
    waiting, seen = [(key, ".")], {(key, ".")}
    while waiting:
        place = waiting.pop()
        compiled, uses = linking.compiled(place)
        keys = {}
        for text, used in uses.items():
            keys[text] = SELF if used == (key, ".") else _name(used)
            if used in linking.read and used not in seen:
                seen.add(used)
                waiting.append(used)
        melodies[SELF if place == (key, ".") else _name(place)] = Unlinked(compiled, keys)
    root = melodies.pop(SELF)
    return FromFiles(link(root, melodies), tuple(sorted(linking.unknown)))


_Place = tuple[str, str]


@dataclass(slots=True)
class _Linking:
    """``read`` holds the melodies, ``interfaces`` what was looked at, by package and folder."""

    files: FilesOf
    target: TargetOf
    read: dict[_Place, Melody] = field(default_factory=dict)
    interfaces: dict[_Place, PackageInterface | None] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)

    def interface(self, place: _Place) -> PackageInterface | None:
        """The outside of a package, or of a folder in it."""
        if place not in self.interfaces:
            try:
                self.interfaces[place] = self._read(place)
            except FormatError:
                self.interfaces[place] = None
        return self.interfaces[place]

    def compiled(self, place: _Place) -> tuple[CompiledMelody, dict[str, _Place]]:
        """The graph of a melody that was read, and where its packages are, by the words of ``uses``."""
        uses: dict[str, _Place] = {}
        packages: dict[str, PackageInterface] = {}
        melody = self.read[place]
        graph = analyse(melody, {}).compiled.graph
        for text in _packages(graph):
            used = self._place(place, text)
            found = None if used is None else self.interface(used)
            uses[text] = used or ("?", text)
            if found is None:
                self.unknown.add(text)
            else:
                packages[text] = found
        compiled = analyse(melody, packages).compiled
        return replace(compiled, graph=_asking(compiled.graph, set(packages), compiled.ceiling)), uses

    def _place(self, place: _Place, text: str) -> _Place | None:
        key, folder = place
        if isinstance(parse_uses(text), LocalReference):
            inner = posixpath.normpath(posixpath.join(folder, text))
            return None if inner.startswith("..") else (key, inner)
        found = self.target(key, text)
        return None if found is None else (found, ".")

    def _read(self, place: _Place) -> PackageInterface | None:
        key, folder = place
        files = self.files(key) or {}
        for name in MELODY_FILES:
            path = posixpath.normpath(posixpath.join(folder, name))
            if path in files:
                self.read[place] = load_melody(files[path], path)
                return melody_interface(self.read[place])
        for name in EXTENSION_FILES:
            path = posixpath.normpath(posixpath.join(folder, name))
            if path in files:
                return extension_interface(load_extension(files[path], path))
        return None


def _name(place: _Place) -> str:
    key, folder = place
    return key if folder == "." else f"{key}:./{folder}"


def _packages(graph: Graph) -> list[str]:
    found: dict[str, None] = {}
    for node in graph.nodes.values():
        if node.body is not None:
            found |= dict.fromkeys(_packages(node.body))
        elif node.package is not None:
            found[node.package] = None
    return list(found)


def _asking(graph: Graph, known: set[str], ceiling: Mapping[str, Template]) -> Graph:
    """What nobody knows may ask for whatever its node names, and elsewhere for all that the ceiling leaves open."""
    nodes = {}
    for name, node in graph.nodes.items():
        if node.body is not None:
            nodes[name] = replace(node, body=_asking(node.body, known, ceiling))
        elif node.package is not None and node.package not in known:
            open_keys = ceiling.keys() - node.permissions.keys() - NAMED_AT_NODE
            asked = {key: Template([UNKNOWN]) for key in open_keys}
            nodes[name] = replace(node, granted=frozenset(node.permissions), declared=asked)
        else:
            nodes[name] = node
    return replace(graph, nodes=nodes)
