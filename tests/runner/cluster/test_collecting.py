"""Cleaning up the store that a cluster shares."""

from __future__ import annotations

import os
import time

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.artifacts.layered import LayeredArtifacts
from polyphony_runner.cluster.collecting import collect_shared
from polyphony_runner.runs.report import run_document
from polyphony_schemas.values import RunId
from support.cluster_world import World
from support.conductor_graphs import compiled, work


def test_what_runs_of_the_cluster_name_stays_and_the_rest_goes(world: World) -> None:
    """Values outside the journal, logs, and the packages of a run: here the archive of one is made up."""
    world.worker()
    text = "x" * 20_000
    nodes = {"a": work(given={"value": text, "log": "kept"}), "b": work(given={"value": "${ a.value }"})}
    run = world.submit(compiled(nodes, outputs={"value": "${ b.value }"}))
    state, events = world.finish(run)
    logs = [log["digest"] for event in events if isinstance(log := event.data.get("log"), dict)]
    store = world.cluster.artifacts
    archive = store.put_bytes(b"an archive").digest
    world.cluster.database.rows(
        "UPDATE materials SET packages = %s::jsonb WHERE run = %s RETURNING run",
        (f'{{"./work": {{"tree": "{archive}", "archive": "{archive}"}}}}', run),
    )
    unwanted = store.put_bytes(b"nobody names this").digest
    for path in (world.folder / "artifacts").glob("??/*"):
        os.utime(path, (time.time() - 7200,) * 2)
    assert collect_shared(world.cluster, grace_ms=3_600_000, dry_run=True).artifacts == 1
    found = collect_shared(world.cluster, grace_ms=3_600_000)
    assert (found.artifacts, found.size) == (1, 17)
    assert not store.has(unwanted)
    assert store.read(archive) == b"an archive"
    assert logs
    assert all(store.has(str(digest)) for digest in logs)
    assert run_document(RunId(run), state)["outputs"] == {"value": text}


def test_a_home_finds_what_only_its_cluster_has(world: World) -> None:
    own, shared = FolderArtifacts(world.home.artifacts), world.cluster.artifacts
    both = LayeredArtifacts(own, shared)
    digest = shared.put_bytes(b"there").digest
    assert not own.has(digest)
    assert (both.has(digest), both.read(digest)) == (True, b"there")
    assert own.has(both.put_bytes(b"here").digest)
