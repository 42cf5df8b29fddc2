"""SIGKILL at aimed moments: nothing is lost, nothing completed is executed twice."""

from __future__ import annotations

from pathlib import Path

from support.cluster_chaos import ClusterChaos
from support.kill_harness import Chaos


def test_a_run_survives_kills_inside_nodes_and_between_append_and_effect(tmp_path: Path) -> None:
    report = Chaos(tmp_path, seed=11, mode="function").campaign(kills=5)
    assert report.ok, report.to_json()
    assert report.kills >= 5


def test_a_run_in_the_sandbox_survives_kills(tmp_path: Path) -> None:
    report = Chaos(tmp_path, seed=5, mode="sandbox").campaign(kills=3)
    assert report.ok, report.to_json()


def test_runs_of_a_cluster_survive_the_death_of_everything_below_them(tmp_path: Path) -> None:
    chaos = ClusterChaos(tmp_path, seed=3)
    try:
        report = chaos.campaign(runs=12, kills=24)
    finally:
        chaos.close()
    assert report.ok, report.to_json()
    assert report.frozen_workers > 0
    assert all(report.kills.values()), "each kind of process was killed"
