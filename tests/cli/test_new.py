"""polyphony new: what it makes is valid at once, and nothing is overwritten."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from polyphony_cli.app import run
from polyphony_cli.commands.new import TEMPLATES

ALL = sorted((kind.name, template.name) for kind in TEMPLATES.iterdir() for template in kind.iterdir())


@pytest.mark.parametrize(("kind", "template"), ALL)
def test_what_it_makes_is_ready_to_publish(kind: str, template: str, tmp_path: Path) -> None:
    from polyphony_runner.folder_files import FolderFiles
    from polyphony_schemas.validate import validate_tree

    folder = tmp_path / "my-package"
    assert run(["new", kind, str(folder), "--template", template]) == 0
    assert validate_tree(FolderFiles(folder), f"{kind}.yaml", {}, publish=True) == []
    assert b"@NAME@" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert (folder / ".gitignore").read_text().startswith("melody.local.yaml")


def test_tells_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--json", "new", "melody", str(tmp_path / "flow")]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["name"] == "flow"
    assert "nodes/shout/node.py" in made["files"]


def test_the_extension_it_makes_does_what_it_says(tmp_path: Path) -> None:
    run(["new", "extension", str(tmp_path / "loud")])
    space: dict[str, object] = {}
    exec((tmp_path / "loud" / "node.py").read_text(), space)

    class Context:
        def log(self, message: str) -> None:
            self.said = message

    main = space["main"]
    assert callable(main)
    assert main({"text": "hi"}, {"marks": 2}, {}, Context()) == {"text": "HI!!"}


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["melody", "taken"], 1),
        (["melody", "Bad_Name"], 2),
        (["melody", "flow", "--template", "nope"], 2),
        (["score", "flow"], 2),
    ],
)
def test_refuses(words: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").mkdir()
    Path("taken/file").write_text("mine")
    assert run(["new", *words]) == status
    assert [path.name for path in tmp_path.rglob("*")] == ["taken", "file"]
