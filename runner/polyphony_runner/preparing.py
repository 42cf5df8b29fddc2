"""Before publishing: read the package as git would, and find everything that is in the way, at once."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.git import changed_files, work_tree_root
from polyphony_runner.manifest import Manifest, read_manifest
from polyphony_runner.package_files import PackageFiles, read_package_files
from polyphony_schemas.names import MANIFESTS
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.problems import Problem
from polyphony_schemas.trust.tree_rules import refusals

LOCAL_OVERRIDES = "melody.local.yaml"
_SHOWN_CHANGES = 3
# The problems of a package at the level that publishing asks for.
Check = Callable[[PackageFiles, str], list[Problem]]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A package as it would be published, with everything that is in the way."""

    files: PackageFiles
    manifest: Manifest | None
    problems: tuple[Problem, ...]

    @property
    def ready(self) -> bool:
        """Whether nothing is in the way."""
        return not any(problem.severity == "error" for problem in self.problems)

    def to_json(self, *, name: str | None = None, dry_run: bool = True) -> dict[str, object]:
        """The result document of ``publish`` before anything was sent."""
        manifest = self.manifest
        return {
            "name": name or (manifest.name if manifest else None),
            "version": manifest.version if manifest else None,
            "tree": self.files.tree,
            "permissions": manifest and digest(manifest.permissions),
            "permissions_document": manifest and canonical_document(manifest.permissions),
            "statement": None,
            "log_index": None,
            "dry_run": dry_run,
            "problems": [problem.to_json() for problem in self.problems],
        }


def prepare(path: Path, check: Check) -> Prepared:
    """Read the package at ``path`` and find every problem; nothing is sent and nothing is changed."""
    files = read_package_files(path)
    problems = [
        _problem("PLY5703", refusal.path, f"{refusal.detail} ({refusal.rule})", "rename or remove it")
        for refusal in refusals(files.entries, structure=files.structure)
    ]
    if files.commit is None:
        problems.append(_problem("PLY6708", "", *_no_commit(files.root)))
    if LOCAL_OVERRIDES in files.entries:
        problems.append(
            _problem(
                "PLY6709",
                LOCAL_OVERRIDES,
                "development overrides are no part of a package",
                f"git rm --cached {LOCAL_OVERRIDES} and add it to .gitignore",
            )
        )
    manifest: Manifest | None = None
    try:
        manifest = read_manifest(files.texts())
    except ClientError as error:
        if error.code != "PLY6707":  # what makes a document unreadable is said with its place by the check
            problems.append(_problem(error.code, "", error.message, error.hint))
    else:
        problems.extend(check(files, manifest.path))
    if manifest is None and not problems:
        problems.extend(_unreadable(files, check))
    return Prepared(files, manifest, tuple(problems))


def _no_commit(root: Path) -> tuple[str, str]:
    """Why a folder is not one commit, and what makes it one."""
    here = shlex.quote(str(root))
    first = "git init && git add . && git commit -m 'First version'"
    top = work_tree_root(root)
    if top is None:
        return f"{root} is in no git work tree; a version is one commit", f"cd {here} && {first}"
    if top.resolve() != root.resolve():
        return (
            f"{root} lies inside the git work tree {top}; a package is the root of its own",
            f"copy the folder out of {top}, then {first} there",
        )
    changes = changed_files(root)
    if changes is None:
        return f"the git work tree {root} has no commit; a version is one", f"cd {here} && {first[12:]}"
    shown = ", ".join(repr(name) for name in changes[:_SHOWN_CHANGES])
    more = f" and {len(changes) - _SHOWN_CHANGES} more" if len(changes) > _SHOWN_CHANGES else ""
    return (
        f"{shown}{more} in {root} {'is' if len(changes) == 1 else 'are'} not committed; a version is one commit",
        "commit them, or name what is no part of the package in .gitignore",
    )


def _unreadable(files: PackageFiles, check: Check) -> list[Problem]:
    for name in MANIFESTS:
        if name in files.entries:
            return check(files, name)
    return []


def _problem(code: str, file: str, message: str, hint: str) -> Problem:
    return Problem(code, "error", file, 1, 1, "", message, hint)
