"""The compiled graph beside an installed melody counts for its own dependencies alone, and only unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.kept_graphs import dependencies_of, keep_melody, kept_melody
from polyphony_runner.locking import read_lock
from polyphony_runner.store import FolderStore
from polyphony_schemas.lock import Lock
from polyphony_schemas.program import ProcessStart
from polyphony_schemas.trust.tree import Entry
from polyphony_schemas.values import TreeId
from support.install_world import SIGNER, World, a_registry, using, world

EXTENSION = b"""extension: v1
name: loud
version: 1.0.0
kind: operator
summary: Says it loudly
license: MIT
run: {process: [sh, run.sh]}
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    registry = a_registry()
    for name in ("acme/loud", "acme/song"):
        registry.claim(name)
    entries = {"extension.yaml": Entry("100644", EXTENSION), "run.sh": Entry("100755", b"#!/bin/sh\n")}
    registry.publish("acme/loud", "1.0.0", entries, SIGNER)
    registry.publish("acme/song", "1.0.0", using("song", "1.0.0", "acme/loud@^1"), SIGNER)
    with world(tmp_path / "home", registry) as made:
        made.install("acme/song")
        yield made


def facts(here: World) -> tuple[FolderStore, Lock, TreeId, dict[str, str]]:
    lock = read_lock(here.home.lock)
    assert lock is not None
    key = "acme/song@1.0.0"
    return FolderStore(here.home.store), lock, TreeId(lock.packages[key].tree), dependencies_of(lock, key)


def test_installing_a_melody_keeps_its_graph(here: World) -> None:
    store, lock, tree, dependencies = facts(here)
    kept = kept_melody(store, tree, dependencies)
    assert kept is not None
    graph = kept.graph
    assert kept.packages["acme/loud@^1"].program.start == ProcessStart(("sh", "run.sh"))
    assert (graph.name, graph.version) == ("song", "1.0.0")
    assert list(graph.graph.nodes) == ["n0"]
    assert dependencies == {"acme/loud@^1": lock.packages["acme/loud@1.0.0"].tree}


def test_a_graph_of_other_dependencies_does_not_count(here: World) -> None:
    store, _, tree, _ = facts(here)
    assert kept_melody(store, tree, {}) is None
    assert kept_melody(store, tree, {"acme/loud@^1": "0" * 64}) is None


@pytest.mark.parametrize("place", ["content", "sha256", "dependencies", "by"])
def test_a_changed_graph_does_not_count_and_is_compiled_again(here: World, place: str) -> None:
    store, lock, tree, dependencies = facts(here)
    path = store.beside(tree, "graph")
    document = json.loads(path.read_bytes())
    document[place] = str(document[place]).replace("song", "sung") + " "
    path.write_text(json.dumps(document))
    assert kept_melody(store, tree, dependencies) is None
    assert keep_melody(store, lock, "acme/song@1.0.0")
    assert kept_melody(store, tree, dependencies) is not None


def test_a_damaged_file_does_not_count(here: World) -> None:
    store, _, tree, dependencies = facts(here)
    store.beside(tree, "graph").write_bytes(b"{")
    assert kept_melody(store, tree, dependencies) is None
    store.beside(tree, "graph").unlink()
    assert kept_melody(store, tree, dependencies) is None
