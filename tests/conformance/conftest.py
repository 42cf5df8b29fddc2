from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.home import Home
from support.cluster_fixtures import postgres  # noqa: F401  # a fixture by its name
from support.cluster_servers import Postgres, Redis
from support.cluster_worker import act
from support.cluster_world import World
from support.conformance_executors import Local, OnCluster, PatternExecutor

WORKERS = 3


@pytest.fixture(scope="session")
def cluster_of_three(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:  # noqa: F811  # the fixture
    """PostgreSQL, Redis and three workers, each a process of its own, for all patterns.

    Where four nodes have to run at once, more than one worker does: each has two places.
    """
    redis = Redis()
    world = World(tmp_path_factory.mktemp("cluster"), postgres.new_database(), redis.url, lease=30)
    try:
        for _ in range(WORKERS):
            world.worker(slots=2)
        yield world
    finally:
        world.close()
        redis.stop()


@pytest.fixture
def executor(request: pytest.FixtureRequest, tmp_path: Path) -> PatternExecutor:
    """One of the executors by its name."""
    match request.param:
        case "cluster":
            return OnCluster(request.getfixturevalue("cluster_of_three"))
        case "sandbox":
            from polyphony_runner.runtimes.sandboxed import SandboxedRuntime

            home = Home.at(tmp_path / "home")
            return Local(
                tmp_path, lambda packages, artifacts, _folder: SandboxedRuntime(packages, artifacts, home)
            )
        case _:
            return Local(tmp_path, lambda *_: FunctionRuntime({"*": act}))
