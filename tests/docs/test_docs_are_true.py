"""The documents say what the code does: verbs, error codes, settings, links; and nothing of the machine it was made on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from polyphony_cli.app import VERBS

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r"\bPLY\d{4}\b")
LAYERS = (
    "schemas/polyphony_schemas",
    "runner/polyphony_runner",
    "registry/polyphony_registry",
    "cli/polyphony_cli",
)


def sources() -> list[Path]:
    return [path for layer in LAYERS for path in (ROOT / layer).rglob("*.py")]


def tracked() -> list[Path]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.split(
        b"\0"
    )
    return [ROOT / name.decode() for name in names if name]


def test_every_error_code_is_documented_and_every_documented_one_exists() -> None:
    used = {code for path in sources() for code in CODE.findall(path.read_text("utf-8"))} - {"PLY1234"}
    documented = set(
        re.findall(r"^\| (PLY\d{4}) \|", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE)
    )
    assert used - documented == set(), "used, not documented"
    assert documented - used == set(), "documented, not used"


def test_every_error_code_stands_once_in_its_page() -> None:
    rows = re.findall(r"^\| (PLY\d{4}) \|", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(set(rows))


def test_every_verb_is_documented() -> None:
    page = (ROOT / "docs/commands.md").read_text("utf-8")
    for verb in VERBS:
        assert f"\n## polyphony {verb}\n" in page


@pytest.mark.parametrize(
    "page", [p for p in tracked() if p.suffix == ".md"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.relative_to(ROOT)} links to {target}"


def test_no_file_names_a_package_index_or_a_path_of_a_machine() -> None:
    hosts = ("pypi" + ".org", "python" + "hosted", "npm" + "js.", "deb.debian" + ".org")
    allowed = {"runner/polyphony_runner/package_index"}
    for path in tracked():
        name = str(path.relative_to(ROOT))
        if path.suffix in {".png", ".woff2", ".gz", ".ico"} or any(name.startswith(word) for word in allowed):
            continue
        text = path.read_text("utf-8", "replace")
        for host in hosts:
            assert host not in text, f"{name} names {host}"
        assert not re.search(r"(?<![\w.-])/(work|farm)/", text), f"{name} names a path of a machine"


def test_no_source_file_is_longer_than_a_room() -> None:
    for path in tracked():
        if path.suffix in {".py", ".html", ".css", ".js", ".ts"} and "generated" not in path.parts:
            assert len(path.read_text("utf-8").splitlines()) <= 500, path
