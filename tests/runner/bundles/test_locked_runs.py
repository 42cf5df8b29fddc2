"""The bundle of an installed melody's run carries what the lock says of its trees."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.bundles.verifying import verify_bundle
from polyphony_runner.bundles.writing import export_run
from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.installed import locate
from polyphony_runner.runs.session import begin
from polyphony_schemas.lock import decode_lock
from polyphony_schemas.trust.tree import Entry
from support.bundle_files import files_of, forged_files
from support.install_world import SIGNER, World, a_registry, using, world

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
summary: A step
license: Apache-2.0
outputs: {value: {schema: {type: integer}}}
run: {python: "node:main"}
"""


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    registry = a_registry()
    for name in ("acme/step", "acme/uses"):
        registry.claim(name)
    step = {"extension.yaml": Entry("100644", EXTENSION.encode()), "node.py": Entry("100644", b"")}
    registry.publish("acme/step", "1.0.0", step, SIGNER)
    registry.publish("acme/uses", "1.0.0", using("uses", "1.0.0", "acme/step@^1"), SIGNER)
    with world(tmp_path / "home", registry) as made:
        yield made


def run_installed(here: World, work: Path) -> RunFolder:
    here.install("acme/uses")
    place = locate("acme/uses", here.home)
    assembled = assemble(RunRequest(place.path, tree=place.tree, work=work), here.home, place.packages)
    with begin(assembled, here.home) as session:
        state = session.execute(lambda *_: FunctionRuntime({"*": lambda a, s: {"value": 1}}), lambda *_: None)
    assert state.status == "succeeded"
    return assembled.folder


def test_the_lock_of_a_run_travels_with_it(here: World, tmp_path: Path) -> None:
    folder = run_installed(here, tmp_path)
    bundle = tmp_path / "run.zip"
    export_run(folder, here.home, FolderArtifacts(here.home.artifacts), bundle)
    lock = decode_lock(files_of(bundle)["melody.lock"])
    assert set(lock.packages) == {"acme/uses@1.0.0", "acme/step@1.0.0"}
    assert set(lock.roots) == {"acme/uses"}
    report = verify_bundle(bundle)
    assert report.ok, report.steps
    assert report.steps[4]["detail"] == "uses 1.0.0; the lock names 2 of 2 trees"


def test_the_lock_of_another_run_is_noticed(here: World, tmp_path: Path) -> None:
    folder = run_installed(here, tmp_path)
    bundle = tmp_path / "run.zip"
    export_run(folder, here.home, FolderArtifacts(here.home.artifacts), bundle)
    files = files_of(bundle)
    lock = decode_lock(files["melody.lock"])
    for entry in lock.packages.values():
        files["melody.lock"] = files["melody.lock"].replace(entry.tree.encode(), b"0" * 64)
    report = verify_bundle(forged_files(files, tmp_path))
    assert (report.steps[-1]["step"], report.steps[-1]["code"]) == ("record", "PLY2825")
