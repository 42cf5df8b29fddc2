"""Runs that leave files, folders, small and large values behind."""

from __future__ import annotations

from pathlib import Path

from polyphony_runner.artifacts import FolderArtifacts
from polyphony_runner.home import Home
from polyphony_runner.runtimes.protocol import Assignment, Sink
from polyphony_schemas.values import JsonObject
from support.cached_runs import Ran, Runner, package

EXTENSION = """\
extension: v1
name: step
version: 1.0.0
kind: operator
inputs: {n: {schema: {type: integer}, default: 0}, after: {schema: {}, required: false}}
outputs: {value: {schema: {}}, file: {schema: {$ref: "urn:polyphony:file"}}, folder: {schema: {$ref: "urn:polyphony:directory"}}}
run: {python: "node:main"}
"""
NODES = """\
inputs: {n: {schema: {type: integer}, default: 1}, more: {schema: {}, required: false}}
nodes:
  a: {uses: ./step, with: {n: "${ inputs.n }"}}
  b: {uses: ./step, with: {n: "${ inputs.n + 1 }", after: "${ a.value }"}}
outputs: {value: "${ b.value }", file: "${ b.file }"}
"""
LARGE = 20_000


class ArtifactRuns:
    """A home, and a melody whose nodes make a file, a folder and a value over 16 KiB each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = Home.at(folder / "home")
        self.store = FolderArtifacts(self.home.artifacts)
        self.runner = Runner(self.home, act=self._act)

    def melody(self, config: str = "", name: str = "melody") -> Path:
        return package(self.folder / name, NODES + config, EXTENSION)

    def run(self, melody: Path, *inputs: str) -> Ran:
        ran = self.runner.run(melody, *inputs, cache=False)
        assert ran.state.status == "succeeded", ran.state.error
        return ran

    def _act(self, assignment: Assignment, sink: Sink) -> JsonObject:
        del sink
        n = int(str(assignment.inputs["n"]))
        made = self.folder / "made" / f"{assignment.run}-{assignment.node}"
        (made / "sub").mkdir(parents=True)
        (made / "sub" / "same.txt").write_text("same")
        (made / "n.txt").write_text(f"{n}\n")
        file, folder = self.store.put_file(made / "n.txt"), self.store.put_directory(made)
        return {
            "value": {"n": n, "text": "x" * LARGE, "list": [1, n, 3]},
            "file": {"digest": file.digest, "name": "n.txt", "media_type": "text/plain", "size": file.size},
            "folder": {
                "digest": folder.digest,
                "name": "folder",
                "media_type": "inode/directory",
                "size": folder.size,
            },
        }
