"""One served registry for a whole test process; every test takes a namespace of its own."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.registry_running import Publisher, Running, new_registry, running_registry

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A registry that is served by real processes on a free loopback port."""
    settings, owner = new_registry(tmp_path_factory.mktemp("registry") / "data", workers=2, threads=8)
    with running_registry(settings, owner) as running:
        yield running


@pytest.fixture
def publisher(registry: Running, tmp_path: Path) -> Publisher:
    """Somebody with a token and a namespace that nobody else uses."""
    namespace = f"space{next(_NUMBERS)}"
    invitation = registry.invite(f"user-{namespace}", namespace)
    return Publisher(tmp_path / "work", invitation.token, namespace)


@pytest.fixture
def new_publisher(registry: Running, tmp_path: Path) -> Callable[[], Publisher]:
    """Makes further publishers."""

    def make() -> Publisher:
        namespace = f"space{next(_NUMBERS)}"
        invitation = registry.invite(f"user-{namespace}", namespace)
        return Publisher(tmp_path / namespace, invitation.token, namespace)

    return make
