"""What docs/extensions shows is real: every example is taken from its page, checked, and its cases are run."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
import wasmtime

from polyphony_cli.app import run
from polyphony_runner.folder_files import FolderFiles
from polyphony_schemas.validate import validate_tree

PAGES = sorted((Path(__file__).parents[2] / "docs/extensions").glob("*.md"))
FENCE = re.compile(r"^```\w+ (?P<path>[\w./-]+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> dict[str, dict[str, str]]:
    """The files of a page, by the folder they are shown in."""
    found: dict[str, dict[str, str]] = {}
    for match in FENCE.finditer(page.read_text("utf-8")):
        folder, _, name = match["path"].partition("/")
        found.setdefault(folder, {})[name] = match["text"]
    return found


def written(folder: Path, files: dict[str, str]) -> None:
    """The files as they stand in the page; what has to be built is, as the page says."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        if name.startswith("bin/"):
            path.chmod(0o755)
    for source in folder.glob("*.wat"):
        source.with_suffix(".wasm").write_bytes(wasmtime.wat2wasm(source.read_text("utf-8")))
    for source in folder.glob("*.c"):
        (folder / "bin").mkdir()
        subprocess.run(["cc", "-O2", "-static", "-o", folder / "bin" / source.stem, source], check=True)


@pytest.mark.parametrize(
    ("page", "name"),
    [(page, name) for page in PAGES for name in examples(page)],
    ids=lambda part: Path(part).name,
)
def test_an_example_is_valid_and_its_cases_hold(
    page: Path, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / name
    written(folder, examples(page)[name])
    assert validate_tree(FolderFiles(folder), "extension.yaml", {}) == []
    capsys.readouterr()
    status = run(["--json", "--home", str(tmp_path / "home"), "test", str(folder)])
    document = json.loads(capsys.readouterr().out)
    assert status == 0, document
    assert len(document["cases"]) == len(list((folder / "tests").glob("*.yaml"))) > 0


def test_every_way_to_run_has_an_example() -> None:
    manifests = [files["extension.yaml"] for page in PAGES for files in examples(page).values()]
    for kind in ("python", "process", "command", "mcp", "wasm"):
        assert any(re.search(rf"^run:\s*{{?\s*{kind}:", text, re.MULTILINE) for text in manifests), kind
