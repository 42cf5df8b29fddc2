"""What is kept beside an installed melody, so that running it imports neither the YAML reader nor the document models.

``store/<tree>.graph.json``::

    {"kept": "v3", "by": VERSION, "dependencies": {USES: TREE}, "sha256": DIGEST, "content": "JSON as text"}

The content is ``{"graph": GRAPH, "packages": {KEY: {"origin": ORIGIN, "folder": FOLDER, "program": PROGRAM}}}``: the
package lies in the folder ``folder`` of ``origin``, a key of the lock, empty for the melody's own tree. ``dependencies``
names the trees of everything the melody leads to, further in as ``CONSUMER USES``.

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

FORMAT = "v3"


@dataclass(frozen=True, slots=True)
class KeptPackage:
    """One package of a kept melody; ``origin`` and ``folder`` as in the document."""

    program: Program
    origin: str
    folder: str


@dataclass(frozen=True, slots=True)
class KeptMelody:
    """The graph of an installed melody, and what its nodes run by key."""

    graph: CompiledMelody
    packages: Mapping[str, KeptPackage]


def dependencies_of(lock: Lock, key: str) -> dict[str, str]:
    """The trees that a locked package leads to, by the words of ``uses``; further in after the key that says them."""
    found: dict[str, str] = {}
    waiting, seen = [key], {key}
    while waiting:
        consumer = waiting.pop()
        for uses, target in sorted(lock.packages[consumer].dependencies.items()):
            if target in lock.packages:
                found[uses if consumer == key else f"{consumer} {uses}"] = lock.packages[target].tree
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
    return dict(sorted(found.items()))


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
    from polyphony_runner.runs.features import refuse_later_features
    from polyphony_runner.runs.linking import Linker
    from polyphony_runner.runs.melody_file import read_melody

    try:
        file = read_melody(store.path(tree))
        linked = Linker({}, LockedPackages([lock], store, key)).link(file, tree)
        refuse_later_features(linked.melody)
    except PolyphonyError:
        return None
    parts = linked.parts.items()
    packages = {name: KeptPackage(part.package.program, part.origin, part.folder) for name, part in parts}
    return KeptMelody(linked.melody, packages)


def _encode(kept: KeptMelody) -> str:
    document = {
        "graph": codec.to_json(kept.graph),
        "packages": {
            key: {"origin": one.origin, "folder": one.folder, "program": program.to_json(one.program)}
            for key, one in kept.packages.items()
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _decode(text: str) -> KeptMelody:
    document = json.loads(text)
    return KeptMelody(
        codec.from_json(document["graph"]),
        {
            key: KeptPackage(program.from_json(one["program"]), str(one["origin"]), str(one["folder"]))
            for key, one in document["packages"].items()
        },
    )


def _digest(tree: TreeId, dependencies: Mapping[str, str], text: str) -> str:
    told = json.dumps([tree, dict(sorted(dependencies.items())), text], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()
