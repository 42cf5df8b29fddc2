"""The kit, an index on loopback that has its wheels, and a project folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.package_index import IndexSettings
from support.kit_packages import Kit
from support.kit_wheels import WheelIndex, served_wheels


@pytest.fixture(scope="session")
def wheel_index() -> Iterator[WheelIndex]:
    with served_wheels() as index:
        yield index


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def kit(project: Path, wheel_index: WheelIndex) -> Kit:
    return Kit(project, IndexSettings(indexes=(wheel_index.url,)))
