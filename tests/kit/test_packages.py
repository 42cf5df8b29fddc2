"""What holds for every first-party package, without running any of them."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

from polyphony_schemas.graph.interface import extension_interface
from polyphony_schemas.loading import load_extension
from polyphony_schemas.validate import validate_tree
from support.kit_packages import PACKAGES
from support.kit_wheels import ROOT

MELODIES = sorted(path.parent for path in ROOT.glob("melodies/*/melody.yaml"))
FOLDERS = [*(ROOT / "kit" / name for name in PACKAGES), *MELODIES, ROOT / "tools/demo"]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def interfaces() -> dict[str, Any]:
    """The interface of every extension of the kit, by the words melodies use it by."""
    return {
        f"polyphony/{name}@^1": extension_interface(
            load_extension((ROOT / "kit" / name / "extension.yaml").read_bytes())
        )
        for name in PACKAGES
    }


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_is_valid_for_publishing_with_every_port_checked(folder: Path) -> None:
    manifest = "melody.yaml" if (folder / "melody.yaml").exists() else "extension.yaml"
    problems = validate_tree(files(folder), manifest, interfaces(), publish=True)
    assert [f"{problem.file}:{problem.line} {problem.message}" for problem in problems] == []


@pytest.mark.parametrize("name", PACKAGES)
def test_is_documented_and_named_like_its_folder(name: str) -> None:
    manifest = load_extension((ROOT / "kit" / name / "extension.yaml").read_bytes())
    assert manifest.name == name
    assert (ROOT / "kit" / name / "README.md").read_text().startswith(f"# {name}\n")
    assert f"\n## {name}\n" in (ROOT / "docs/kit.md").read_text()


@pytest.mark.parametrize(
    "lock", sorted(ROOT.glob("kit/*/requirements.lock")), ids=lambda path: path.parent.name
)
def test_requirements_are_pinned_with_hashes_and_without_addresses(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    pins = re.findall(r"^\S.*$", text, re.MULTILINE)
    assert pins
    assert all(re.match(r"[a-z0-9-]+==\S+ (;.*)?\\$", pin) for pin in pins), pins


def test_the_page_about_the_kit_is_current() -> None:
    place = ROOT / "tools/generate_kit_docs.py"
    spec = importlib.util.spec_from_file_location("generate_kit_docs", place)
    assert spec is not None
    assert spec.loader is not None
    generator = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(generator)
    assert (ROOT / "docs/kit.md").read_text() == generator.document()
