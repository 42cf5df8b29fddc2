"""How a machine names its cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.settings import cluster_settings, find_settings
from polyphony_runner.home import Home

WHOLE = """\
cluster:
  database: postgresql://db/polyphony
  redis: redis://r:6379/0
  artifacts: /mnt/artifacts
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def test_a_machine_without_settings_has_no_cluster(home: Home) -> None:
    assert find_settings(home, {}) is None
    home.config.write_text("usage:\n  trusted: []\n")
    assert find_settings(home, {}) is None
    with pytest.raises(ClusterError, match="names no cluster") as refused:
        cluster_settings(home, {})
    assert refused.value.code == "PLY2700"


def test_the_environment_comes_before_the_file(home: Home) -> None:
    home.config.write_text(WHOLE)
    settings = cluster_settings(
        home, {"POLYPHONY_CLUSTER_REDIS": "redis://other", "POLYPHONY_CLUSTER_LEASE": "6s"}
    )
    assert (settings.database, settings.redis, settings.lease) == (
        "postgresql://db/polyphony",
        "redis://other",
        6.0,
    )
    assert settings.sweep == 3.0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cluster: {redis: redis://r}\n", "without its database and artifacts"),
        ("cluster: [a]\n", "not a map"),
        (WHOLE + "  pool: big\n", "not a map"),
        (WHOLE + "  lease: soon\n", "lease"),
        (WHOLE + "  lease: 10ms\n", "at least 1s"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(home: Home, text: str, said: str) -> None:
    home.config.write_text(text)
    with pytest.raises(ClusterError, match=said) as refused:
        find_settings(home, {})
    assert refused.value.code == "PLY2701"
