"""Running what was installed: the lock says which trees, the store holds them, the journal names them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyphony_runner.conductor.function_runtime import FunctionRuntime
from polyphony_runner.journal import read_journal
from polyphony_runner.runs.assemble import RunRequest, assemble
from polyphony_runner.runs.errors import RunConsentError
from polyphony_runner.runs.installed import locate
from polyphony_runner.runs.resuming import resume
from polyphony_runner.runs.session import begin
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.trust.tree import Entry
from polyphony_schemas.values import JsonObject
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
NETWORK: JsonObject = {"network": ["example.com:443"]}


@pytest.fixture
def here(tmp_path: Path) -> Iterator[World]:
    registry = a_registry()
    for name in ("acme/step", "acme/uses"):
        registry.claim(name)
    step = {"extension.yaml": Entry("100644", EXTENSION.encode()), "node.py": Entry("100644", b"")}
    registry.publish("acme/step", "1.0.0", step, SIGNER)
    entries = using("uses", "1.0.0", "acme/step@^1", permissions=json.dumps(NETWORK))
    registry.publish("acme/uses", "1.0.0", entries, SIGNER, permissions=NETWORK)
    with world(tmp_path / "home", registry) as made:
        yield made


def test_an_installed_melody_runs_without_asking_again(here: World, tmp_path: Path) -> None:
    with pytest.raises(PolyphonyError) as refused:
        locate("acme/uses", here.home)
    assert refused.value.code == "PLY6602"
    installed = {one.name: one.tree for one in here.install("acme/uses")}
    place = locate("acme/uses", here.home)
    assembled = assemble(RunRequest(place.path, tree=place.tree, work=tmp_path), here.home, place.packages)
    assert assembled.record.tree == installed["acme/uses"]
    assert not assembled.record.local
    with begin(assembled, here.home) as session:
        state = session.execute(lambda *_: FunctionRuntime({"*": lambda a, s: {"value": 1}}), lambda *_: None)
    assert state.status == "succeeded"
    created = next(read_journal(assembled.folder.journal))
    assert created.data["packages"] == {
        "acme/step@^1": {
            "name": "acme/step",
            "version": "1.0.0",
            "tree": assembled.record.packages["acme/step@^1"].tree,
            "local": False,
        }
    }


def test_a_changed_file_of_the_store_is_refused(here: World) -> None:
    here.install("acme/uses")
    file = locate("acme/uses", here.home).path / "melody.yaml"
    file.parent.chmod(0o755)
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b"\n")
    with pytest.raises(PolyphonyError) as refused:
        locate("acme/uses", here.home)
    assert refused.value.code == "PLY5902"


def test_resuming_hashes_the_store_again_before_anything_is_written(here: World, tmp_path: Path) -> None:
    here.install("acme/uses")
    place = locate("acme/uses", here.home)
    assembled = assemble(RunRequest(place.path, tree=place.tree, work=tmp_path), here.home, place.packages)
    folder = assembled.folder
    begin(assembled, here.home).journal.close()
    resume(folder, here.home).journal.close()
    before = folder.journal.read_bytes()

    package = Path(assembled.record.packages["acme/step@^1"].root)
    package.chmod(0o755)
    (package / "node.py").chmod(0o644)
    (package / "node.py").write_bytes(b"# another program\n")
    with pytest.raises(PolyphonyError) as refused:
        resume(folder, here.home)
    assert refused.value.code == "PLY5902"
    assert folder.journal.read_bytes() == before
    (package / "node.py").write_bytes(b"")
    (package / "node.py").chmod(0o444)
    resume(folder, here.home).journal.close()


def test_the_same_melody_by_its_path_needs_consent(here: World, tmp_path: Path) -> None:
    here.install("acme/uses")
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "melody.yaml").write_bytes((locate("acme/uses", here.home).path / "melody.yaml").read_bytes())
    place = locate(str(folder), here.home)
    assert place.tree is None
    with pytest.raises(RunConsentError):
        assemble(RunRequest(place.path, work=tmp_path), here.home, place.packages)
