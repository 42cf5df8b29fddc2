"""Bundles of runs, and bundles that somebody changed."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

from polyphony_runner.bundles.layout import CONTENTS, UNLISTED, Contents, Listed
from polyphony_runner.bundles.provenance import sign
from polyphony_runner.bundles.writing import export_run
from polyphony_runner.journal.file import FileJournal
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.head import run_key, sign_head
from support.artifact_runs import ArtifactRuns

Files = dict[str, bytes]


def finished_run(runs: ArtifactRuns, *inputs: str) -> RunFolder:
    """A run that is over, its head signed, with a log."""
    folder = runs.run(runs.melody(), *inputs).session.folder
    journal = FileJournal(folder.journal)
    sign_head(folder, journal, runs.home.keys)
    journal.close()
    return folder


def bundle_of(runs: ArtifactRuns, folder: RunFolder, name: str = "run.zip", *, whole: bool = True) -> Path:
    """The bundle of a run."""
    target = runs.folder / name
    export_run(folder, runs.home, runs.store, target, with_artifacts=whole)
    return target


def files_of(bundle: Path) -> Files:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_files(files: Files, target: Path) -> Path:
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return target


def forged(runs: ArtifactRuns, bundle: Path, change: Callable[[Files], None]) -> Path:
    """A bundle changed by somebody who also wrote the table of contents and the provenance anew, with a key of theirs."""
    files = files_of(bundle)
    change(files)
    return forged_files(files, runs.folder)


def forged_files(files: Files, folder: Path) -> Path:
    """A bundle of these files, its table of contents and provenance made to fit them."""
    contents = Contents.decode(files[CONTENTS])
    key = run_key(folder / "their-keys")
    listed = {
        name: (hashlib.sha256(data).hexdigest(), len(data))
        for name, data in files.items()
        if name not in UNLISTED
    }
    artifacts = {
        **contents.artifacts,
        **{
            name.partition("/")[2]: Listed(size)
            for name, (_, size) in listed.items()
            if name.startswith("artifacts/")
        },
    }
    made = Contents(
        contents.run, contents.by, key.public_key().public_bytes_raw(), listed, artifacts, contents.logs
    ).encode()
    envelope = json.loads(files["provenance.json"])
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["subject"][0]["digest"]["sha256"] = hashlib.sha256(made).hexdigest()
    return write_files(
        {**files, CONTENTS: made, "provenance.json": sign(statement, key)}, folder / "forged.zip"
    )
