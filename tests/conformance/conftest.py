from __future__ import annotations

from pathlib import Path

import pytest

from support.conductor_graphs import Player


@pytest.fixture
def player(tmp_path: Path) -> Player:
    return Player(tmp_path)
