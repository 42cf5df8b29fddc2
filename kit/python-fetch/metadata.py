"""What a Python project says statically about its needs. Nothing of the project is executed.

Read are ``pyproject.toml`` (standard tables, dependency groups, and the tables of Poetry, PDM, uv and Hatch),
``setup.cfg``, and, where neither names test requirements, ``tox.ini`` and the usual requirement files.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

# PEP 517: what a project without a [build-system] table is built with.
DEFAULT_BUILD = ("setuptools>=40.8.0", "wheel")
# Files that hold test requirements in projects that predate dependency groups.
TEST_FILES = (
    "requirements/tests.txt",
    "requirements/test.txt",
    "requirements-test.txt",
    "requirements-tests.txt",
    "test-requirements.txt",
    "test_requirements.txt",
    "tests/requirements.txt",
    "requirements_test.txt",
    "requirements-dev.txt",
    "requirements_dev.txt",
    "dev-requirements.txt",
    "requirements/dev.txt",
)
Table = dict[str, Any]


@dataclass
class Needs:
    """Requirement strings by purpose; ``dynamic`` says that only the build backend knows the dependencies."""

    build: list[str] = field(default_factory=list)
    run: list[str] = field(default_factory=list)
    test: list[str] = field(default_factory=list)
    dynamic: bool = False


def needs_of(root: Path, extras: list[str]) -> Needs:
    """All that the project says about itself; ``extras`` are the extras and groups that count as test needs."""
    document = read_toml(root / "pyproject.toml")
    project = table(document, "project")
    needs = Needs(build=list(table(document, "build-system").get("requires", DEFAULT_BUILD)))
    needs.run += project.get("dependencies", [])
    needs.dynamic = "dependencies" in project.get("dynamic", [])
    needs.test += chosen(table(project, "optional-dependencies"), extras)
    groups = table(document, "dependency-groups")
    for name in extras:
        needs.test += group(groups, name)
    needs.test += tool_needs(table(document, "tool"), extras)
    if not project:
        declared = from_setup_cfg(root, extras, needs)
        needs.dynamic = not declared
    if not needs.test:
        needs.test += from_files(root)
    needs.test = without_itself(needs.test, project)
    return needs


def read_toml(path: Path) -> Table:
    """The document, or an empty one when there is none or it cannot be read."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}


def table(document: Table, *names: str) -> Table:
    """A table below others, empty when there is none."""
    for name in names:
        inner = document.get(name)
        document = inner if isinstance(inner, dict) else {}
    return document


def chosen(extras: Table, names: Iterable[str]) -> Iterator[str]:
    """The requirements of the extras with these names, however they are spelled."""
    wanted = {canonicalize_name(name) for name in names}
    for name, requirements in extras.items():
        if canonicalize_name(name) in wanted:
            yield from requirements


def without_itself(requirements: list[str], project: Table, depth: int = 4) -> list[str]:
    """The requirements with extras of the project itself (``demo[test]`` in demo) replaced by what they hold."""
    own = canonicalize_name(str(project.get("name", "")))
    found: list[str] = []
    for text in requirements:
        if own and name_of(text) == own:
            inner = list(chosen(table(project, "optional-dependencies"), Requirement(text).extras))
            found += without_itself(inner, project, depth - 1) if depth else []
        else:
            found.append(text)
    return found


def group(groups: Table, name: str, seen: tuple[str, ...] = ()) -> Iterator[str]:
    """A dependency group with its includes (PEP 735)."""
    for entry in groups.get(name, []):
        if isinstance(entry, str):
            yield entry
        elif isinstance(entry, dict):
            included = str(entry.get("include-group", ""))
            if included in groups and included not in (*seen, name):
                yield from group(groups, included, (*seen, name))


def tool_needs(tools: Table, names: list[str]) -> Iterator[str]:
    """Test requirements in the tables of project managers."""
    yield from table(tools, "uv").get("dev-dependencies", [])
    yield from chosen(table(tools, "pdm", "dev-dependencies"), names)
    for name in ("test", "tests", "hatch-test", "default"):
        environment = table(tools, "hatch", "envs", name)
        yield from environment.get("dependencies", [])
        yield from environment.get("extra-dependencies", [])
    poetry = table(tools, "poetry")
    yield from poetry_lines(table(poetry, "dev-dependencies"))
    for name in names:
        yield from poetry_lines(table(poetry, "group", name, "dependencies"))


def poetry_lines(requirements: Table) -> Iterator[str]:
    """Poetry's own notation as requirements; its upper bounds are left to the resolver."""
    for name, value in requirements.items():
        version = value.get("version", "*") if isinstance(value, dict) else value
        if name == "python" or not isinstance(version, str):
            continue
        bound = re.sub(r"^\s*[\^~]\s*", ">=", version.strip())
        yield name if bound in ("*", "") else f"{name}{bound if bound[0] in '<>=!' else f'=={bound}'}"


def from_setup_cfg(root: Path, extras: list[str], needs: Needs) -> bool:
    """Take what setuptools' declarative file says; whether it says anything about dependencies."""
    parser = configparser.ConfigParser(interpolation=None)
    try:
        parser.read(root / "setup.cfg", "utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return False
    needs.run += lines(parser.get("options", "install_requires", fallback=""))
    for name in extras:
        needs.test += lines(parser.get("options.extras_require", name, fallback=""))
    needs.test += lines(parser.get("options", "tests_require", fallback=""))
    return parser.has_option("options", "install_requires")


def from_files(root: Path) -> list[str]:
    """Test requirements of the first usual file that is there, else of tox."""
    for name in TEST_FILES:
        place = root / name
        if place.is_file():
            return list(lines(place.read_text("utf-8", "replace")))
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read(root / "tox.ini", "utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return []
    return list(lines(parser.get("testenv", "deps", fallback="")))


def lines(text: str) -> Iterator[str]:
    """Requirement lines without comments, options, addresses, includes and tox's conditions."""
    for line in text.splitlines():
        word = line.split(" #")[0].split("--hash")[0].strip().rstrip("\\").strip()
        if word and not word.startswith(("#", "-", ".", "{")) and "://" not in word:
            yield word


def name_of(requirement: str) -> str | None:
    """The normalised project name, or None when it is no requirement by name."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return None
    return None if parsed.url else canonicalize_name(parsed.name)


def applies(requirement: str) -> bool:
    """Whether its environment marker holds here."""
    marker = Requirement(requirement).marker
    return marker is None or marker.evaluate({"extra": ""})
