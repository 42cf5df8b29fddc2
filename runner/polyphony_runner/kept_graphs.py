"""What is kept beside an installed melody, so that running it imports neither the YAML reader nor the document models.

``store/<tree>.graph.json``::

    {"kept": "v2", "by": VERSION, "dependencies": {USES: TREE}, "sha256": DIGEST, "content": "JSON as text"}

The content is ``{"graph": GRAPH, "packages": {USES: {"folder": FOLDER, "program": PROGRAM}}}``; ``folder`` is where in
the melody's own tree an extension lies, null for one with a tree of its own.

It depends on the compiler and on the outsides of the packages that the melody was compiled with, so it counts only
for exactly this version and those trees. It is a cache: what is missing, stale or damaged is made again from the verified files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_runner.store import PackageStore
from polyphony_schemas import VERSION, program
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph import codec
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.lock import Lock
from polyphony_schemas.program import Program
from polyphony_schemas.values import TreeId

FORMAT = "v2"


@dataclass(frozen=True, slots=True)
class KeptPackage:
    """One package of a kept melody; ``folder`` as in the document."""

    program: Program
    folder: str | None = None


@dataclass(frozen=True, slots=True)
class KeptMelody:
    """The graph of an installed melody, and what its nodes run by the words of ``uses``."""

    graph: CompiledMelody
    packages: Mapping[str, KeptPackage]


def dependencies_of(lock: Lock, key: str) -> dict[str, str]:
    """The trees that a locked package was resolved to, by the words of ``uses``."""
    return {
        uses: lock.packages[target].tree
        for uses, target in sorted(lock.packages[key].dependencies.items())
        if target in lock.packages
    }


def kept_melody(store: PackageStore, tree: TreeId, dependencies: Mapping[str, str]) -> KeptMelody | None:
    """What was kept for a melody with these dependencies, or None."""
    data = store.read_beside(tree, "graph")
    if data is None:
        return None
    try:
        document = json.loads(data)
        if document["kept"] != FORMAT or document["by"] != VERSION:
            return None
        if document["dependencies"] != dict(dependencies):
            return None
        text = str(document["content"])
        if document["sha256"] != _digest(tree, dependencies, text):
            return None
        return _decode(text)
    except (ValueError, KeyError, TypeError, AttributeError, PolyphonyError):
        return None


def keep_melody(store: PackageStore, lock: Lock, key: str) -> bool:
    """Compile an installed melody and keep it, unless it is there; says whether there is one now.

    A melody that cannot be compiled, or needs what this version does not run, keeps none: its run says why.
    """
    tree = TreeId(lock.packages[key].tree)
    dependencies = dependencies_of(lock, key)
    if kept_melody(store, tree, dependencies) is not None:
        return True
    kept = _compiled(store, lock, key, tree)
    if kept is None:
        return False
    text = _encode(kept)
    document = {
        "kept": FORMAT,
        "by": VERSION,
        "dependencies": dependencies,
        "sha256": _digest(tree, dependencies, text),
        "content": text,
    }
    store.write_beside(tree, "graph", json.dumps(document, ensure_ascii=False).encode() + b"\n")
    return True


def _compiled(store: PackageStore, lock: Lock, key: str, tree: TreeId) -> KeptMelody | None:
    from polyphony_runner.locked_packages import LockedPackages
    from polyphony_runner.packages import FolderPackages, Sources
    from polyphony_runner.runs.features import refuse_later_features
    from polyphony_runner.runs.melody_file import compile_file, find_packages, read_melody

    root = store.path(tree)
    try:
        file = read_melody(root)
        packages = find_packages(
            file, Sources([FolderPackages(root, tree), LockedPackages([lock], store, key)])
        )
        graph = compile_file(file, packages)
        refuse_later_features(graph)
    except PolyphonyError:
        return None
    return KeptMelody(
        graph,
        {
            uses: KeptPackage(
                package.program,
                None
                if uses in lock.packages[key].dependencies
                else package.root.relative_to(root).as_posix(),
            )
            for uses, package in packages.items()
        },
    )


def _encode(kept: KeptMelody) -> str:
    document = {
        "graph": codec.to_json(kept.graph),
        "packages": {
            uses: {"folder": one.folder, "program": program.to_json(one.program)}
            for uses, one in kept.packages.items()
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _decode(text: str) -> KeptMelody:
    document = json.loads(text)
    return KeptMelody(
        codec.from_json(document["graph"]),
        {
            uses: KeptPackage(program.from_json(one["program"]), one["folder"])
            for uses, one in document["packages"].items()
        },
    )


def _digest(tree: TreeId, dependencies: Mapping[str, str], text: str) -> str:
    told = json.dumps([tree, dict(sorted(dependencies.items())), text], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()
