"""An assignment that travels is the same assignment."""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.cluster.codec import decode_assignment, encode_assignment
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.runtimes.protocol import Assignment
from polyphony_schemas.graph.model import Limits
from polyphony_schemas.values import NodePath, RunId


def test_granted_paths_travel_as_they_were_compared(tmp_path: Path) -> None:
    values = ValueStore(FolderArtifacts(tmp_path))
    assignment = Assignment(
        run=RunId("r_test"),
        node=NodePath("work"),
        attempt=1,
        package="./x",
        inputs={},
        parameters={},
        task={},
        grants={"read": ("src",)},
        limits=Limits(),
        deadline=None,
        work=tmp_path,
        places={"src": tmp_path / "src"},
    )
    assert decode_assignment(encode_assignment(assignment, 2.5, values), values) == (assignment, 2.5)
