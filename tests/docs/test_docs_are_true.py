"""The documents say what the code does: verbs, error codes, settings, links; and nothing of the machine it was made on."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from polyphony_cli.app import VERBS
from polyphony_registry.settings import Settings

ROOT = Path(__file__).parent.parent.parent
CODE = re.compile(r"\bPLY\d{4}\b")
WORD = re.compile(r"`([a-z_]+)`")
VARIABLE = re.compile(r"(?<![A-Z_])POLYPHONY_[A-Z_]+")
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
        assert f"Example: polyphony {verb}" in page


def test_every_test_that_a_page_names_exists() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", page.read_text("utf-8")):
            assert re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE), name


def test_every_setting_of_the_registry_is_documented() -> None:
    page = (ROOT / "docs/registry.md").read_text("utf-8")
    documented = {
        word for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for word in WORD.findall(row)
    }
    assert set(Settings.model_fields) - {"data"} <= documented
    assert "`data` itself" in page


def test_every_environment_variable_that_is_read_is_documented() -> None:
    read = {name for path in sources() for name in VARIABLE.findall(path.read_text("utf-8"))}
    pages = "".join(
        (ROOT / "docs" / name).read_text("utf-8") for name in ("install.md", "registry.md", "sandbox.md")
    )
    assert read == set(VARIABLE.findall(pages))


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
