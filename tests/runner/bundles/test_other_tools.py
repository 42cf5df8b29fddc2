"""What other people's tools say of a bundle: the RO-Crate validator, the library of the in-toto project."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey  # type: ignore[attr-defined]  # exported without saying so

from polyphony_runner.bundles.verifying import verify_bundle
from support.artifact_runs import ArtifactRuns
from support.bundle_files import bundle_of, files_of, finished_run
from support.ro_crate import crate_issues, unknown_terms


def test_the_crate_passes_the_validator(runs: ArtifactRuns, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = bundle_of(runs, finished_run(runs))
    assert unknown_terms(files_of(bundle)["ro-crate-metadata.json"]) == set()
    assert crate_issues(bundle, monkeypatch, severity="REQUIRED") == []


def test_the_crate_of_a_run_without_inputs_and_outputs_passes_too(
    runs: ArtifactRuns, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "melody.yaml").write_text(
        "melody: v1\nname: bare\nversion: 1.0.0\nnodes: {a: {uses: core/raise, with: {kind: model, message: no}}}\n"
    )
    folder = runs.runner.run(tmp_path / "bare").session.folder
    bundle = bundle_of(runs, folder)
    assert crate_issues(bundle, monkeypatch, severity="REQUIRED") == []
    report = verify_bundle(bundle)
    assert report.ok
    assert "not signed when it was exported" in str(report.steps[3]["detail"])


def test_the_provenance_is_an_in_toto_statement_that_others_can_check(runs: ArtifactRuns) -> None:
    """By the library of the in-toto project, with the key that the table of contents names."""
    folder = finished_run(runs)
    files = files_of(bundle_of(runs, folder))
    envelope = Envelope.from_dict(json.loads(files["provenance.json"]))
    raw = base64.b64decode(json.loads(files["bundle.json"])["key"])
    (keyid,) = envelope.signatures
    key = SSlibKey(keyid, "ed25519", "ed25519", {"public": raw.hex()})
    assert list(envelope.verify([key], 1)) == [keyid]
    statement = json.loads(envelope.payload)
    assert (statement["_type"], statement["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    assert [one["name"] for one in statement["subject"]] == ["bundle.json", "outputs.file", "outputs.value"]
    predicate = statement["predicate"]
    assert predicate["runDetails"]["metadata"]["invocationId"] == folder.run
    assert predicate["buildDefinition"]["resolvedDependencies"][0]["name"] == "step"
