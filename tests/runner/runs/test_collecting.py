"""Cleaning up removes what nothing needs, and nothing else."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from polyphony_runner.artifacts import ArtifactError
from polyphony_runner.journal.file import FileJournal, read_journal
from polyphony_runner.runs.collecting import CACHE_DAYS, collect
from polyphony_runner.runs.folder import RunFolder, all_runs
from polyphony_runner.runs.produced import produced_by
from polyphony_runner.runs.report import run_document
from polyphony_runner.runs.session import load_state
from polyphony_schemas.values import JsonObject
from support.artifact_runs import ArtifactRuns
from support.cached_runs import NODES, package

DAY = 86400


@pytest.fixture
def runs(tmp_path: Path) -> ArtifactRuns:
    return ArtifactRuns(tmp_path)


def grow_old(runs: ArtifactRuns, days: float) -> None:
    """As if everything in the store had been put days ago."""
    then = time.time() - days * DAY
    for path in [*runs.home.artifacts.rglob("*"), *runs.home.cache.rglob("*")]:
        if path.is_file() and not path.is_symlink():
            os.utime(path, (then, then))


def stored(folder: RunFolder) -> set[str]:
    return {one.digest for one in produced_by(folder) if one.stored}


def test_what_a_run_refers_to_stays_and_what_nothing_refers_to_goes(runs: ArtifactRuns) -> None:
    folder = runs.run(runs.melody()).session.folder
    unwanted = runs.store.put_bytes(b"nobody names this").digest
    grow_old(runs, 2)
    young = runs.store.put_bytes(b"put a moment ago").digest
    dry = collect(runs.home, runs.store, dry_run=True)
    assert (dry.artifacts, dry.size, runs.store.has(unwanted)) == (1, 17, True)
    done = collect(runs.home, runs.store)
    assert (done.artifacts, done.size, done.runs) == (1, 17, [])
    assert not runs.store.has(unwanted)
    assert runs.store.has(young)
    for one in produced_by(folder):
        if one.stored:
            (runs.store.directory if one.media_type == "inode/directory" else runs.store.read)(one.digest)


def test_a_run_that_goes_on_loses_nothing(runs: ArtifactRuns) -> None:
    """Its journal is open in another process, its values lie outside the journal and name files inside."""
    kept = runs.store.put_bytes(b"inside a large value").digest
    reference = {"digest": kept, "name": "x", "media_type": "text/plain", "size": 20}
    value = json.dumps({"file": reference, "text": "y" * 20_000})
    session = runs.runner.begin(runs.melody(), f"more={value}", cache=False)
    grow_old(runs, 400)
    try:
        assert collect(runs.home, runs.store).artifacts == 0
        assert runs.store.read(kept) == b"inside a large value"
    finally:
        session.journal.close()


def test_a_damaged_journal_keeps_whatever_looks_like_a_digest(runs: ArtifactRuns) -> None:
    folder = runs.run(runs.melody()).session.folder
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join([lines[0], b"{}\n", *lines[1:]]))
    grow_old(runs, 400)
    before = {one.digest for one in runs.store.held()}
    collect(runs.home, runs.store)
    assert {one.digest for one in runs.store.held()} == before


def ages(folder: RunFolder, days: float) -> None:
    """Write the journal anew as if it had been written days ago."""
    events = list(read_journal(folder.journal))
    folder.journal.unlink()
    journal = FileJournal(folder.journal)
    shift = int(days * DAY * 1000)
    journal.append(
        [type(one)(one.seq, one.at_ms - shift, one.type, one.node, one.attempt, one.data) for one in events]
    )
    journal.close()


def test_runs_over_their_time_go_and_the_newest_stay(runs: ArtifactRuns) -> None:
    melody = runs.melody("config: {retention: {runs: 30d, keep: 2}}\n")
    other = runs.melody(name="other")
    folders = [runs.run(melody, f"n={n}").session.folder for n in (1, 10, 20, 30)]
    apart = runs.run(other, "n=40").session.folder
    for folder in (*folders, apart):
        ages(folder, 31)
    done = collect(runs.home, runs.store)
    assert sorted(done.runs) == [folder.run for folder in folders[:2]]
    assert {folder.run for folder in all_runs(runs.home.runs)} == {*(f.run for f in folders[2:]), apart.run}
    assert [path.name for path in runs.home.runs.iterdir() if path.name.startswith(".")] == []
    grow_old(runs, 2)
    assert collect(runs.home, runs.store).artifacts > 0
    assert all(runs.store.has(digest) for folder in (*folders[2:], apart) for digest in stored(folder))


def test_artifacts_over_their_time_go_and_the_journal_can_still_be_read(runs: ArtifactRuns) -> None:
    folder = runs.run(runs.melody("config: {retention: {artifacts: 7d}}\n")).session.folder
    grow_old(runs, 8)
    assert collect(runs.home, runs.store).artifacts == 0
    ages(folder, 8)
    assert collect(runs.home, runs.store).artifacts > 0
    document = run_document(folder.run, load_state(folder, runs.home))
    assert document["status"] == "succeeded"
    assert isinstance(document["outputs"], dict)
    assert len(str(document["outputs"]["value"])) > 20_000
    files = [one for one in produced_by(folder) if one.name == "n.txt"]
    assert not any(runs.store.has(one.digest) for one in files)


def test_an_unfinished_run_never_goes(runs: ArtifactRuns) -> None:
    session = runs.runner.begin(runs.melody("config: {retention: {runs: 1d}}\n"), cache=False)
    session.journal.close()
    ages(session.folder, 400)
    assert collect(runs.home, runs.store).runs == []
    assert session.folder.journal.exists()


def test_cached_results_keep_what_they_name_until_they_are_old(runs: ArtifactRuns, tmp_path: Path) -> None:
    digest = runs.store.put_bytes(b"of a pure node").digest
    reference: JsonObject = {"digest": digest, "name": "f", "media_type": "text/plain", "size": 14}
    runs.runner.act = lambda assignment, sink: {"value": 1, "file": reference}
    ran = runs.runner.run(package(tmp_path / "pure", NODES))
    shutil.rmtree(ran.session.folder.path)
    grow_old(runs, 2)
    collect(runs.home, runs.store)
    assert runs.store.has(digest)
    grow_old(runs, CACHE_DAYS + 1)
    assert collect(runs.home, runs.store).results > 0
    assert runs.store.has(digest)  # somebody may have found the result just now
    collect(runs.home, runs.store)
    assert not runs.store.has(digest)


def test_a_grace_time_that_running_processes_need_is_insisted_on(runs: ArtifactRuns) -> None:
    with pytest.raises(ArtifactError) as refused:
        collect(runs.home, runs.store, grace_ms=1000)
    assert refused.value.code == "PLY2806"


def test_what_killed_writers_left_goes(runs: ArtifactRuns) -> None:
    digest = runs.store.put_directory(tree(runs.folder / "t")).digest
    laid_out = runs.store.directory(digest)
    left = runs.home.artifacts / "tmp" / "left"
    left.write_bytes(b"half")
    grow_old(runs, 2)
    os.utime(laid_out, (1, 1))
    assert collect(runs.home, runs.store).artifacts == 2
    assert not left.exists()
    assert not laid_out.exists()


def tree(folder: Path) -> Path:
    folder.mkdir()
    (folder / "a").write_text("a")
    return folder
