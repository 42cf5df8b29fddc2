"""What a Python project says statically about its needs. Nothing of the project is executed."""

from __future__ import annotations

import configparser
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

# PEP 517: what a project without a [build-system] table is built with.
DEFAULT_BUILD = ["setuptools>=40.8.0", "wheel"]
# Files that hold test requirements in projects that predate dependency groups.
TEST_FILES = (
    "requirements/tests.txt",
    "requirements/test.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "requirements_test.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
)


@dataclass
class Needs:
    """Requirement strings by purpose; ``dynamic`` says that only the build backend knows the dependencies."""

    build: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    dynamic: bool = False


def read_toml(path):
    """The document, or an empty one when there is none or it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def group(groups, name, seen=()):
    """A dependency group with its includes (PEP 735)."""
    out = []
    for entry in groups.get(name, []):
        if isinstance(entry, str):
            out.append(entry)
        elif isinstance(entry, dict) and entry.get("include-group") not in (None, *seen):
            out += group(groups, entry["include-group"], (*seen, name))
    return out


def lines(text):
    """Requirement lines without comments, options, addresses and includes."""
    for line in text.splitlines():
        word = line.split(" #")[0].split("--hash")[0].strip().rstrip("\\").strip()
        if word and not word.startswith(("#", "-")) and "://" not in word:
            yield word


def from_setup_cfg(root, extras, needs):
    """setuptools' declarative file."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(root / "setup.cfg", "utf-8")
    except configparser.Error:
        return
    needs.run += lines(parser.get("options", "install_requires", fallback=""))
    for name in extras:
        needs.test += lines(parser.get("options.extras_require", name, fallback=""))


def needs_of(root: Path, extras) -> Needs:
    """Read pyproject.toml, setup.cfg and the usual test requirement files."""
    document, needs = read_toml(root / "pyproject.toml"), Needs()
    project = document.get("project", {})
    needs.build = list(document.get("build-system", {}).get("requires", DEFAULT_BUILD))
    needs.run = list(project.get("dependencies", []))
    optional, groups = project.get("optional-dependencies", {}), document.get("dependency-groups", {})
    for name in extras:
        needs.test += [*optional.get(name, []), *group(groups, name)]
    needs.dynamic = "dependencies" in project.get("dynamic", []) or (
        not project and not (root / "setup.cfg").exists()
    )
    if not project:
        from_setup_cfg(root, extras, needs)
    if not needs.test:
        for name in TEST_FILES:
            place = root / name
            if place.is_file():
                needs.test += lines(place.read_text("utf-8", "replace"))
                break
    return needs


def name_of(requirement):
    """The normalised project name, or None when it is no requirement by name."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return None
    return None if parsed.url else parsed.name.lower().replace("_", "-").replace(".", "-")


def applies(requirement):
    """Whether its environment marker holds here."""
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": ""})
