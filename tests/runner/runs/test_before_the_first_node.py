"""Inputs, overrides, consent: everything that is settled before a run exists."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from polyphony_runner.folder_files import FolderFiles
from polyphony_runner.home import Home
from polyphony_runner.packages import OverriddenPackages, PackageSource
from polyphony_runner.runs.assemble import AssembledRun, RunRequest, assemble
from polyphony_runner.runs.errors import RunConsentError, RunError
from polyphony_runner.runs.features import not_acted_on
from polyphony_runner.runs.folder import RunFolder, find_run, new_run_id
from polyphony_runner.runs.inputs import read_inputs
from polyphony_schemas.errors import FormatError, PolyphonyError, UsageError
from polyphony_schemas.graph.model import Port
from polyphony_schemas.validate import validate_tree

PORTS = {
    "text": Port({"type": "string"}),
    "number": Port({"type": "number"}, required=False),
    "count": Port({"type": "integer"}, False, 3, True),
    "flag": Port({"type": "boolean"}, required=False),
    "many": Port({"type": "array"}, required=False),
    "any": Port({}, required=False),
    "kind": Port({"enum": ["1", "2"]}, required=False),
    "either": Port({"type": ["string", "integer"]}, required=False),
}


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("text=12", "12"),
        ("text=", ""),
        ("text=a=b", "a=b"),
        ("number=2", 2.0),
        ("count=2.0", 2),
        ("flag=true", True),
        ("many=[1]", [1]),
        ('any={"a": 1}', {"a": 1}),
        ("any=plain words", "plain words"),
        ("kind=1", "1"),
        ("either=12", 12),
        ("either=x", "x"),
    ],
)
def test_reads_inputs_as_their_schema_says(word: str, value: object) -> None:
    inputs = read_inputs(PORTS, ["text=x", word], None)
    assert inputs[word.partition("=")[0]] == value
    assert type(inputs[word.partition("=")[0]]) is type(value)


def test_reads_files_and_fills_in_defaults(tmp_path: Path) -> None:
    (tmp_path / "note").write_text("from a file")
    (tmp_path / "inputs.json").write_text('{"flag": true, "text": "from json"}')
    inputs = read_inputs(PORTS, [f"text=@{tmp_path / 'note'}"], tmp_path / "inputs.json")
    assert inputs == {"text": "from a file", "flag": True, "count": 3}


@pytest.mark.parametrize("words", [["nope=1"], ["text"], ["text=x", "count=many"], [], ["text=@/nowhere"]])
def test_wrong_inputs_are_a_usage_error_that_names_the_declared_ones(words: list[str]) -> None:
    with pytest.raises(UsageError) as refused:
        read_inputs(PORTS, words, None)
    assert refused.value.code == "PLY2403"
    assert refused.value.exit_status == 2


MELODY = """\
melody: v1
name: tiny
version: 1.0.0
nodes: {a: {uses: core/set, with: {n: 1}}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path / "home")


def melody(tmp_path: Path, text: str = MELODY) -> Path:
    folder = tmp_path / "melody"
    folder.mkdir(exist_ok=True)
    (folder / "melody.yaml").write_text(text)
    return folder


def test_a_path_is_a_folder_or_its_file(tmp_path: Path, home: Home) -> None:
    folder = melody(tmp_path)
    for path in (folder, folder / "melody.yaml"):
        assembled = assemble(RunRequest(path, work=tmp_path), home)
        assert assembled.record.name == "tiny"
        assert assembled.record.local
    with pytest.raises(RunError) as refused:
        assemble(RunRequest(tmp_path / "nothing"), home)
    assert refused.value.code == "PLY2404"


def test_an_invalid_melody_is_refused_with_its_problems(tmp_path: Path, home: Home) -> None:
    with pytest.raises(FormatError) as refused:
        assemble(RunRequest(melody(tmp_path, MELODY + "extra: 1\n"), work=tmp_path), home)
    assert refused.value.details["problems"]


def deep(levels: int) -> str:
    """A schema of arrays inside each other."""
    return "{type: array, items: " * levels + "{}" + "}" * levels


def invalid(folder: Path) -> bool:
    problems = validate_tree(FolderFiles(folder), "melody.yaml", {})
    return any(problem.severity == "error" for problem in problems)


@pytest.mark.parametrize(
    "schema", ["{$ref: 'nowhere.json'}", "{$ref: '#/$defs/none'}", "{type: 5}", deep(40)]
)
@pytest.mark.parametrize("place", ["inputs", "outputs", "parameters"])
def test_schemas_that_validate_refuses_are_refused_in_extensions_too(
    tmp_path: Path, home: Home, place: str, schema: str
) -> None:
    folder = melody(tmp_path, MELODY.replace("core/set, with: {n: 1}", "./node"))
    (folder / "node").mkdir()
    declared = f"{{type: object, properties: {{p: {schema}}}}}"
    if place != "parameters":
        declared = f"{{p: {{schema: {schema}}}}}"
    text = f"extension: v1\nname: e\nversion: 1.0.0\nkind: operator\n{place}: {declared}\nrun: {{command: [ls]}}\n"
    (folder / "node/extension.yaml").write_text(text)
    assert invalid(folder)
    with pytest.raises(FormatError) as refused:
        assemble(RunRequest(folder, work=tmp_path), home)
    assert refused.value.code == "PLY1500"
    assert not list(home.runs.glob("r_*"))


def test_schemas_of_a_node_may_lie_anywhere_in_its_package(tmp_path: Path, home: Home) -> None:
    folder = melody(tmp_path, MELODY.replace("core/set, with: {n: 1}", "./node"))
    (folder / "node").mkdir()
    (folder / "shared.json").write_text('{"type": "integer"}')
    text = "extension: v1\nname: e\nversion: 1.0.0\nkind: operator\nrun: {command: [ls]}\n"
    ports = "inputs: {p: {schema: {$ref: '../shared.json'}, required: false}}\n"
    (folder / "node/extension.yaml").write_text(text + ports)
    assert not invalid(folder)
    record = assemble(RunRequest(folder, work=tmp_path), home).record
    assert "integer" in str(record.packages["./node"].program.interface.inputs["p"].schema)


def test_a_melody_without_end_is_refused_like_a_large_one(tmp_path: Path, home: Home) -> None:
    folder = melody(tmp_path)
    with (folder / "melody.yaml").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FormatError):
        assemble(RunRequest(folder, work=tmp_path), home)


def test_a_manifest_that_is_a_link_is_not_read(tmp_path: Path, home: Home) -> None:
    folder = melody(tmp_path, MELODY.replace("core/set, with: {n: 1}", "./node"))
    (folder / "node").mkdir()
    (tmp_path / "private").write_text("word of the host")
    (folder / "node/extension.yaml").symlink_to(tmp_path / "private")
    with pytest.raises(PolyphonyError) as refused:
        assemble(RunRequest(folder, work=tmp_path), home)
    assert refused.value.code == "PLY2406"


def test_what_changes_nothing_yet_is_named_and_refuses_nothing(tmp_path: Path, home: Home) -> None:
    text = MELODY + "config: {notify: [{on: [failed], email: {to: [a@b.example]}}], retention: {keep: 3}}\n"
    assembled = assemble(RunRequest(melody(tmp_path, text), work=tmp_path), home)
    assert not_acted_on(assembled.melody) == ["notify"]


def test_missing_packages_are_named_together(tmp_path: Path, home: Home) -> None:
    text = MELODY.replace(
        "a: {uses: core/set, with: {n: 1}}", "a: {uses: polyphony/ruff@^1}, b: {uses: acme/x@^2}"
    )
    with pytest.raises(RunError) as refused:
        assemble(RunRequest(melody(tmp_path, text), work=tmp_path), home)
    assert refused.value.code == "PLY2408"
    assert refused.value.details["missing"] == ["acme/x@^2", "polyphony/ruff@^1"]


EXTENSION = """\
extension: v1
name: ruff
version: 1.2.3
kind: operator
run: {python: "node:main"}
"""


@pytest.fixture
def overridden(tmp_path: Path) -> Path:
    kit = tmp_path / "kit" / "ruff"
    kit.mkdir(parents=True)
    (kit / "extension.yaml").write_text(EXTENSION)
    return melody(tmp_path, MELODY.replace("{uses: core/set, with: {n: 1}}", "{uses: polyphony/ruff@^1}"))


def used(assembled: AssembledRun) -> tuple[str, bool]:
    package = assembled.record.packages["polyphony/ruff@^1"]
    return package.version, package.local


def test_an_override_stands_in_for_a_package(tmp_path: Path, home: Home, overridden: Path) -> None:
    word = f"polyphony/ruff={tmp_path / 'kit/ruff'}"
    assert used(assemble(RunRequest(overridden, work=tmp_path, overrides=[word]), home)) == ("1.2.3", True)


def test_overrides_lie_beside_the_melody_but_never_in_git(
    tmp_path: Path, home: Home, overridden: Path
) -> None:
    (overridden / "melody.local.yaml").write_text("overrides: {polyphony/ruff: ../kit/ruff}\n")
    assert used(assemble(RunRequest(overridden, work=tmp_path), home)) == ("1.2.3", True)
    subprocess.run(["git", "init", "-q"], cwd=overridden, check=True)
    subprocess.run(["git", "add", "melody.local.yaml"], cwd=overridden, check=True)
    with pytest.raises(RunError) as refused:
        assemble(RunRequest(overridden, work=tmp_path), home)
    assert refused.value.code == "PLY2411"


@pytest.mark.parametrize("word", ["polyphony/ruff", "ruff=.", "polyphony/ruff=/nowhere"])
def test_wrong_overrides_are_usage_errors(tmp_path: Path, home: Home, overridden: Path, word: str) -> None:
    with pytest.raises(UsageError) as refused:
        assemble(RunRequest(overridden, work=tmp_path, overrides=[word]), home)
    assert refused.value.code == "PLY2410"


def test_what_is_frozen_takes_no_overrides(tmp_path: Path, home: Home, overridden: Path) -> None:
    word = f"polyphony/ruff={tmp_path / 'kit/ruff'}"
    with pytest.raises(UsageError, match="--frozen"):
        assemble(RunRequest(overridden, work=tmp_path, overrides=[word], frozen=True), home)


def test_what_a_melody_on_disk_lacks_is_fetched_once(tmp_path: Path, home: Home, overridden: Path) -> None:
    asked: list[tuple[Path, list[str]]] = []

    def fetch(folder: Path, uses: Sequence[str]) -> PackageSource:
        asked.append((folder, list(uses)))
        return OverriddenPackages({"polyphony/ruff": tmp_path / "kit/ruff"})

    assert used(assemble(RunRequest(overridden, work=tmp_path, fetch=fetch), home)) == ("1.2.3", True)
    assert asked == [(overridden, ["polyphony/ruff@^1"])]


WANTS = MELODY + 'config: {permissions: {network: ["example.com:443"]}}\n'


def test_permissions_of_a_path_need_consent_once(tmp_path: Path, home: Home) -> None:
    folder = melody(tmp_path, WANTS)
    with pytest.raises(RunConsentError) as refused:
        assemble(RunRequest(folder, work=tmp_path), home)
    details = refused.value.details
    digest = str(details["digest"])
    assert details["permissions"] == {"network": ["example.com:443"]}
    assert f"--accept-permissions {digest}" in refused.value.hint
    assert not list(home.runs.glob("r_*")) if home.runs.exists() else True
    with pytest.raises(RunConsentError):
        assemble(RunRequest(folder, work=tmp_path, accept_permissions="0" * 64), home)
    assemble(RunRequest(folder, work=tmp_path, accept_permissions=digest), home)
    assemble(RunRequest(folder, work=tmp_path), home)
    melody(tmp_path, WANTS.replace("443", "8443"))
    with pytest.raises(RunConsentError):
        assemble(RunRequest(folder, work=tmp_path), home)


def test_a_person_on_a_terminal_is_asked(tmp_path: Path, home: Home) -> None:
    folder, shown = melody(tmp_path, WANTS), list[str]()

    def refuse(lines: object, digest: str) -> bool:
        shown.append(str(lines))
        return False

    with pytest.raises(RunConsentError):
        assemble(RunRequest(folder, work=tmp_path, ask=refuse), home)
    assert "example.com" in shown[0]
    assemble(RunRequest(folder, work=tmp_path, ask=lambda lines, digest: True), home)


def test_reading_its_own_folder_needs_no_consent(tmp_path: Path, home: Home) -> None:
    text = MELODY + "config: {permissions: {read: [src]}}\n"
    folder = melody(tmp_path, text)
    (folder / "src").mkdir()
    assemble(RunRequest(folder, work=folder), home)
    with pytest.raises(RunConsentError):
        assemble(RunRequest(folder, work=tmp_path), home)


@pytest.mark.parametrize("path", ["~/notes", "~", "../other", "link/notes", "~nobody-has-this-name"])
def test_reading_anything_else_needs_consent(
    tmp_path: Path, home: Home, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    folder = melody(tmp_path, MELODY + f"config: {{permissions: {{read: ['{path}']}}}}\n")
    for place in (tmp_path / "person/notes", folder / "~/notes"):
        place.mkdir(parents=True)
    (folder / "link").symlink_to(tmp_path / "person")
    with pytest.raises(RunConsentError):
        assemble(RunRequest(folder, work=folder), home)


def test_run_ids_sort_by_time_and_are_found_by_their_beginning(tmp_path: Path) -> None:
    first, second = new_run_id(1_000), new_run_id(2_000_000_000_000)
    assert first < second
    assert len(first) == 28
    runs = tmp_path / "runs"
    for run in (first, second):
        (runs / run).mkdir(parents=True)
        (runs / run / "run.json").write_text("{}")
    assert find_run(runs, second[:12]) == RunFolder(runs / second)
    for text in ("r_", "nothing", "../x", "..", f"{first}/../{first}", "x" * 5000, f"{first}\0"):
        with pytest.raises(PolyphonyError):
            find_run(runs, text)
