"""polyphony test for extensions: each template comes with cases that hold."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import wasmtime

from polyphony_cli.app import run
from polyphony_cli.commands.new import TEMPLATES


def cases(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    home = folder.parent / "home"
    capsys.readouterr()
    status = run(["--json", "--home", str(home), "test", str(folder), *words])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("template", sorted(path.name for path in (TEMPLATES / "extension").iterdir()))
def test_the_cases_of_a_template_hold(
    template: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    assert run(["new", "extension", str(folder), "--template", template]) == 0
    status, document = cases(folder, capsys)
    assert document["ok"], document
    assert status == 0
    assert document["cases"]


def test_the_module_of_the_template_is_what_its_text_says() -> None:
    folder = TEMPLATES / "extension/wasm"
    assert (folder / "node.wasm").read_bytes() == bytes(wasmtime.wat2wasm((folder / "node.wat").read_text()))


def test_a_case_that_does_not_hold_says_what_differs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    run(["new", "extension", str(folder)])
    (folder / "tests/wrong.yaml").write_text(
        "name: whispers\ninputs: {text: hello, marks: 0}\nexpect: {outputs: {text: hello}}\n"
    )
    status, document = cases(folder, capsys)
    assert status == 1
    (red,) = [case for case in document["cases"] if not case["ok"]]  # type: ignore[attr-defined]  # JSON
    assert red["failures"] == [{"what": "outputs.text", "expected": "hello", "got": "HELLO"}]


def test_a_case_of_an_extension_that_asks_for_more_than_its_own_files_needs_consent_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    run(["new", "extension", str(folder)])
    document = folder / "extension.yaml"
    wanting = document.read_text().replace("permissions: {}\npure: true", "permissions: {env: [EDITOR]}")
    document.write_text(wanting)
    status, refused = cases(folder, capsys)
    error = refused["error"]
    assert (status, error["code"]) == (1, "PLY2412")  # type: ignore[index]  # JSON
    digest = error["details"]["digest"]  # type: ignore[index]  # JSON
    assert cases(folder, capsys, "--accept-permissions", digest)[0] == 0
    assert cases(folder, capsys)[0] == 0


def test_a_case_may_name_only_what_the_extension_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "mine"
    run(["new", "extension", str(folder)])
    (folder / "tests/wrong.yaml").write_text(
        "name: wrong\ninputs: {words: hello}\npins: {other: {outputs: {}}}\nexpect: {outputs: {sound: hello}}\n"
    )
    capsys.readouterr()
    assert run(["--json", "validate", str(folder)]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert {problem["pointer"] for problem in problems} == {
        "/inputs/words",
        "/pins/other",
        "/expect/outputs/sound",
    }
