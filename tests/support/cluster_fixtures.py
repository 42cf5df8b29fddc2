"""The servers of a cluster as fixtures: one PostgreSQL for the session, a database and a Redis for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.cluster_servers import Postgres, Redis


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A server that all tests of this process share."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that a test may stop."""
    server = Postgres()
    yield server
    server.close()


@pytest.fixture
def redis_server() -> Iterator[Redis]:
    """A Redis that a test may stop and flush."""
    server = Redis()
    yield server
    server.stop()


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """An empty database; of a server of its own when the test asks for ``own_postgres``."""
    name = "own_postgres" if "own_postgres" in request.fixturenames else "postgres"
    server: Postgres = request.getfixturevalue(name)
    return server.new_database()
