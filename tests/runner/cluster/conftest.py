"""Real servers for the tests of the cluster: one PostgreSQL for the session, a database and a Redis for each test."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.cluster_servers import Postgres, Redis
    from support.cluster_world import World

# The runner alone has no cluster: its extra is not installed there.
collect_ignore_glob = ["test_*.py"] if find_spec("psycopg") is None or find_spec("rq") is None else []


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    from support.cluster_servers import Postgres

    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    from support.cluster_servers import Redis

    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; of a server of its own when the test asks for ``own_postgres``."""
    name = "own_postgres" if "own_postgres" in request.fixturenames else "postgres"
    server: Postgres = request.getfixturevalue(name)
    return server.new_database()


@pytest.fixture
def world(database_url: str, redis_server: Redis, tmp_path: Path) -> Iterator[World]:
    from support.cluster_world import World

    world = World(tmp_path, database_url, redis_server.url)
    yield world
    world.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that a test may stop."""
    from support.cluster_servers import Postgres

    server = Postgres()
    yield server
    server.close()
