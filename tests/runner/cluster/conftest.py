"""A real cluster for each test: an empty database, a Redis, and workers that the test starts."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.cluster_servers import Redis
    from support.cluster_world import World

# The runner alone has no cluster: its extra is not installed there.
if find_spec("psycopg") is None or find_spec("rq") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from support.cluster_fixtures import (  # noqa: F401  # fixtures by their names
        database_url,
        own_postgres,
        postgres,
        redis_server,
    )


@pytest.fixture
def world(database_url: str, redis_server: Redis, tmp_path: Path) -> Iterator[World]:
    from support.cluster_world import World

    world = World(tmp_path, database_url, redis_server.url)
    yield world
    world.close()
