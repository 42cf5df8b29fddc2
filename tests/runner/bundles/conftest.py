"""A home with runs to export."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from support.artifact_runs import ArtifactRuns

# The runner alone has none of these tools.
if find_spec("rocrate_validator") is None or find_spec("securesystemslib") is None:
    collect_ignore = ["test_other_tools.py"]


@pytest.fixture
def runs(tmp_path: Path) -> ArtifactRuns:
    return ArtifactRuns(tmp_path)
