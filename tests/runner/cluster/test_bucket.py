"""A cluster whose artifacts lie in a bucket: machines share nothing but the servers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from polyphony_runner.cluster.client import Cluster
from polyphony_runner.cluster.collecting import collect_shared
from support.cluster_world import World
from support.conductor_graphs import compiled, needs, work
from support.s3_server import S3Server, s3_server


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        yield running


def test_values_and_logs_travel_through_the_bucket(
    world: World, server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    world.settings = replace(world.settings, artifacts=f"s3://{server.new_bucket()}/runs")
    world.cluster.close()
    world.cluster = Cluster(world.settings, world.home)
    for _ in range(2):
        world.worker(slots=1)
    text = "x" * 20_000
    nodes = {
        "a": work(given={"value": text, "log": "from a"}),
        "b": work(given={"value": "${ a.value }"}),
        "c": work(given=needs("a", "b")),
    }
    run = world.submit(compiled(nodes, outputs={"value": "${ b.value }"}))
    state, events = world.finish(run)
    assert state.status == "succeeded"
    held = {one.digest for one in world.cluster.artifacts.held()}
    log = next(event.data["log"] for event in events if event.type == "node.succeeded" and event.node == "a")
    assert isinstance(log, dict)
    assert log["digest"] in held
    assert (world.cluster.mirror(run).logs / f"{log['digest']}.jsonl").read_text().count("from a") == 1
    assert collect_shared(world.cluster).artifacts == 0
