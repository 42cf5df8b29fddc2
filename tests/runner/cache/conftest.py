"""A runner with a home of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.home import Home
from support.cached_runs import Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(Home.at(tmp_path / "home"))
