from __future__ import annotations

from collections.abc import Iterator

import pytest

from polyphony_runner.sandbox.spec import Level
from support.sandbox_box import Box, levels, make_box


@pytest.fixture(params=levels())
def box(request: pytest.FixtureRequest) -> Iterator[Box]:
    """The sandbox at each level of this machine."""
    level: Level = request.param
    with make_box(level) as made:
        yield made


@pytest.fixture
def here() -> Iterator[Box]:
    """The sandbox at the level of the user that runs the tests, in this very process."""
    with make_box(levels()[0]) as made:
        yield made
