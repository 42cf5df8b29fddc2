"""A run in one file: written the same every time, checked from its own bytes, and a sound RO-Crate."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from polyphony_runner.bundles.layout import BundleError
from polyphony_runner.bundles.reading import BundleFile
from polyphony_runner.bundles.verifying import BundleReport, verify_bundle
from polyphony_runner.bundles.writing import export_run
from polyphony_runner.journal.file import FileJournal
from polyphony_schemas.journal import FIRST_PREV, decode_line, encode_line, line_digest
from support.artifact_runs import ArtifactRuns
from support.bundle_files import Files, bundle_of, files_of, finished_run, forged, write_files

STEPS = ["contents", "provenance", "journal", "head", "record", "order", "artifacts", "logs", "crate"]


def failed(report: BundleReport) -> tuple[object, object]:
    """Step and code of the one that failed, which is the last."""
    assert [step["ok"] for step in report.steps] == [True] * (len(report.steps) - 1) + [False]
    return report.steps[-1]["step"], report.steps[-1]["code"]


@pytest.mark.parametrize("whole", [True, False])
def test_a_bundle_is_verified_step_by_step_without_a_home(runs: ArtifactRuns, *, whole: bool) -> None:
    folder = finished_run(runs)
    bundle = bundle_of(runs, folder, whole=whole)
    report = verify_bundle(bundle)
    assert report.ok, report.steps
    assert ([step["step"] for step in report.steps], report.run) == (STEPS, folder.run)
    names = set(files_of(bundle))
    assert ("artifacts/" in "".join(names)) is True  # large values always come along
    found = runs.store.put_bytes(b"2\n").digest
    assert (f"artifacts/{found}" in names) is whole


def test_the_same_run_gives_the_same_bytes(runs: ArtifactRuns) -> None:
    folder = finished_run(runs)
    first, second = bundle_of(runs, folder, "1.zip"), bundle_of(runs, folder, "2.zip")
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    "name",
    ["bundle.json", "provenance.json", "journal.jsonl", "head.json", "run.json", "graph.json", "artifacts/"],
)
def test_one_changed_byte_is_noticed_in_every_file(runs: ArtifactRuns, name: str) -> None:
    bundle = bundle_of(runs, finished_run(runs))
    files = files_of(bundle)
    path = next(one for one in sorted(files) if one.startswith(name))
    data = bytearray(files[path])
    data[len(data) // 2] ^= 1
    report = verify_bundle(write_files({**files, path: bytes(data)}, bundle))
    assert not report.ok


def rewrite_journal(files: Files, change: Callable[[list[dict[str, object]]], None]) -> None:
    """Change events, and chain them anew."""
    documents = [json.loads(line) for line in files["journal.jsonl"].splitlines()]
    change(documents)
    head, lines = FIRST_PREV, []
    for seq, document in enumerate(documents):
        event, _ = decode_line(json.dumps({**document, "seq": seq}).encode())
        line = encode_line(event, head)
        head = line_digest(line)
        lines.append(line + b"\n")
    files["journal.jsonl"] = b"".join(lines)


def drop_head(files: Files) -> None:
    del files["head.json"]


def change_line(files: Files) -> None:
    files["journal.jsonl"] = files["journal.jsonl"].replace(b'"n":1', b'"n":2', 1)


def change_value(files: Files) -> None:
    rewrite_journal(
        files, lambda events: events[-1].update(data={"status": "succeeded", "outputs": {"x": 1}})
    )


def change_order(files: Files) -> None:
    drop_head(files)

    def swap(events: list[dict[str, object]]) -> None:
        place = next(seq for seq, event in enumerate(events) if event["type"] == "node.succeeded")
        del events[place]

    rewrite_journal(files, swap)


def change_graph(files: Files) -> None:
    files["graph.json"] = files["graph.json"].replace(b"tested", b"tasted")


def add_artifact(files: Files) -> None:
    from hashlib import sha256

    files[f"artifacts/{sha256(b'smuggled').hexdigest()}"] = b"smuggled"


def change_artifact(files: Files) -> None:
    files[next(name for name in sorted(files) if name.startswith("artifacts/"))] = b"other bytes"


def change_crate(files: Files) -> None:
    crate = files["ro-crate-metadata.json"]
    digest = re.search(rb'"sha256": "([0-9a-f]{64})"', crate)
    assert digest is not None
    files["ro-crate-metadata.json"] = crate.replace(digest[1], b"0" * 64)


@pytest.mark.parametrize(
    ("change", "step", "code"),
    [
        (change_line, "journal", "PLY2823"),
        (change_value, "head", "PLY2824"),
        (change_graph, "record", "PLY2825"),
        (change_order, "order", "PLY2826"),
        (add_artifact, "artifacts", "PLY2827"),
        (change_artifact, "artifacts", "PLY2827"),
        (change_crate, "crate", "PLY2829"),
    ],
)
def test_what_a_forger_changed_is_named(
    runs: ArtifactRuns, change: Callable[[Files], None], step: str, code: str
) -> None:
    """Somebody with a key of their own wrote the table of contents and the provenance anew."""
    bundle = bundle_of(runs, finished_run(runs))
    assert failed(verify_bundle(forged(runs, bundle, change))) == (step, code)


def test_a_bundle_of_another_exporter_says_whose_key_signed_what(runs: ArtifactRuns) -> None:
    bundle = forged(runs, bundle_of(runs, finished_run(runs)), lambda files: None)
    report = verify_bundle(bundle)
    assert report.ok
    assert re.search(r"events 0 to \d+ are signed by the key \S+=", str(report.steps[3]["detail"]))


def compressed(files: Files, target: Path) -> None:
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def with_name(name: str) -> Callable[[Files, Path], None]:
    return lambda files, target: void(write_files({**files, name: b"x"}, target))


def without(name: str) -> Callable[[Files, Path], None]:
    return lambda files, target: void(write_files({n: d for n, d in files.items() if n != name}, target))


def twice(files: Files, target: Path) -> None:
    write_files({**files, "head.jsoN": files["head.json"]}, target)
    target.write_bytes(target.read_bytes().replace(b"head.jsoN", b"head.json"))


def truncated(files: Files, target: Path) -> None:
    write_files(files, target)
    target.write_bytes(target.read_bytes()[:-30])


def many(files: Files, target: Path) -> None:
    write_files(files, target)
    data = bytearray(target.read_bytes())
    end = data.rfind(b"PK\x05\x06")
    data[end + 12 : end + 16] = b"\xff\xff\xff\x7f"
    target.write_bytes(bytes(data))


def overlapping(files: Files, target: Path) -> None:
    """The directory lists one large file under many names: more bytes than there are."""
    large = {f"artifacts/{number:064x}": b"" for number in range(4)}
    write_files({**files, **large, "artifacts/" + "f" * 64: b"x" * 200_000}, target)
    data = bytearray(target.read_bytes())
    for number in range(4):
        place = data.rfind(f"artifacts/{number:064x}".encode())
        data[place - 26 : place - 18] = (200_000).to_bytes(4, "little") * 2
    target.write_bytes(bytes(data))


def nested(files: Files, target: Path) -> None:
    write_files({**files, "bundle.json": b"[" * 200_000}, target)


def void(_: object) -> None:
    """Nothing."""


@pytest.mark.parametrize(
    "write",
    [
        compressed,
        with_name("../../etc/cron.d/x"),
        with_name("/etc/passwd"),
        with_name("artifacts/../x"),
        with_name("notes.txt"),
        without("journal.jsonl"),
        twice,
        truncated,
        many,
        overlapping,
        nested,
        lambda files, target: void(target.write_bytes(b"")),
        lambda files, target: void(target.write_bytes(b"PK\x03\x04 and no more")),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_hostile_file_is_refused_before_it_is_read(
    runs: ArtifactRuns, write: Callable[[Files, Path], None]
) -> None:
    bundle = bundle_of(runs, finished_run(runs))
    write(files_of(bundle), bundle)
    assert failed(verify_bundle(bundle)) == ("contents", "PLY2820")


def test_a_line_without_end_is_refused(runs: ArtifactRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(runs, finished_run(runs))
    monkeypatch.setattr("polyphony_runner.bundles.layout.MOST_LINE_BYTES", 100)
    with BundleFile(bundle) as opened, pytest.raises(BundleError, match="longer than 100 bytes"):
        list(opened.lines())


def test_a_run_that_goes_on_or_does_not_hold_is_not_exported(runs: ArtifactRuns) -> None:
    folder = finished_run(runs)
    with FileJournal(folder.journal), pytest.raises(BundleError) as refused:
        export_run(folder, runs.home, runs.store, runs.folder / "x.zip")
    assert refused.value.code == "PLY2810"
    folder.journal.write_bytes(folder.journal.read_bytes().replace(b'"n":1', b'"n":2', 1))
    with pytest.raises(BundleError) as refused:
        export_run(folder, runs.home, runs.store, runs.folder / "x.zip")
    assert refused.value.code == "PLY2811"
    assert not (runs.folder / "x.zip").exists()


def test_what_was_cleaned_up_is_named_only(runs: ArtifactRuns) -> None:
    folder = finished_run(runs)
    runs.store.forget(runs.store.put_bytes(b"2\n").digest)
    report = verify_bundle(bundle_of(runs, folder))
    assert report.ok
    assert ", 1 are only named" in str(report.steps[6]["detail"])
