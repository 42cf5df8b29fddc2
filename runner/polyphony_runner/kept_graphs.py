"""The compiled graph beside an installed melody, so that running it reads neither YAML nor schemas.

``store/<tree>.graph.json``::

    {"kept": "v1", "dependencies": {USES: TREE}, "sha256": DIGEST, "graph": "the graph's own JSON, as text"}

A graph depends on the outsides of the packages it was compiled with, so it counts only for exactly those trees. It
is a cache: what is missing, stale or damaged is compiled again from the verified files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from polyphony_runner.store import Store
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.lock import Lock
from polyphony_schemas.values import TreeId


def dependencies_of(lock: Lock, key: str) -> dict[str, str]:
    """The trees that a locked package was resolved to, by the words of ``uses``."""
    return {
        uses: lock.packages[target].tree
        for uses, target in sorted(lock.packages[key].dependencies.items())
        if target in lock.packages
    }


def kept_graph(store: Store, tree: TreeId, dependencies: Mapping[str, str]) -> CompiledMelody | None:
    """The graph that was kept for a melody with these dependencies, or None."""
    from polyphony_schemas.graph import codec

    data = store.read_beside(tree, "graph")
    if data is None:
        return None
    try:
        document = json.loads(data)
        if document["kept"] != "v1" or document["dependencies"] != dict(dependencies):
            return None
        text = str(document["graph"])
        if document["sha256"] != _digest(tree, dependencies, text):
            return None
        return codec.loads(text.encode())
    except (ValueError, KeyError, TypeError, PolyphonyError):
        return None


def keep_graph(store: Store, lock: Lock, key: str) -> bool:
    """Compile an installed melody and keep its graph, unless it is there; says whether there is one now.

    A melody that cannot be compiled (it needs what this version does not know) keeps none: its run says why.
    """
    tree = TreeId(lock.packages[key].tree)
    dependencies = dependencies_of(lock, key)
    if kept_graph(store, tree, dependencies) is not None:
        return True
    text = _compiled(store, lock, key, tree)
    if text is None:
        return False
    document = {
        "kept": "v1",
        "dependencies": dependencies,
        "sha256": _digest(tree, dependencies, text),
        "graph": text,
    }
    store.write_beside(tree, "graph", json.dumps(document, ensure_ascii=False).encode() + b"\n")
    return True


def _compiled(store: Store, lock: Lock, key: str, tree: TreeId) -> str | None:
    from polyphony_runner.locked_packages import LockedPackages
    from polyphony_runner.packages import FolderPackages, Sources
    from polyphony_runner.runs.melody_file import compile_file, find_packages, read_melody
    from polyphony_schemas.graph import codec

    root = store.path(tree)
    try:
        file = read_melody(root)
        source = Sources([FolderPackages(root, tree), LockedPackages([lock], store, key)])
        return codec.dumps(compile_file(file, find_packages(file, source))).decode()
    except PolyphonyError:
        return None


def _digest(tree: TreeId, dependencies: Mapping[str, str], text: str) -> str:
    told = json.dumps([tree, dict(sorted(dependencies.items())), text], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()
