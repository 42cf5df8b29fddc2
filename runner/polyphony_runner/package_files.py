"""The files of a package on disk, and its tree id: of ``HEAD`` when that is the whole truth, else of what git would add.

A folder that is the root of a git work tree without changes is its commit: the entries come from the object store,
so line-ending rules and filters change nothing. Any other folder is what ``git add`` would take: tracked and new
files, without ignored ones. Neither needs a network; the second works outside of git too.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.folders import MAX_BYTES, MAX_FILES, read_entry, too_much
from polyphony_runner.git import ObjectReader, git, is_clean, work_tree_root
from polyphony_schemas.trust.tree import Entry, tree_id
from polyphony_schemas.trust.tree_objects import read_package
from polyphony_schemas.trust.tree_rules import Refusal
from polyphony_schemas.values import TreeId


@dataclass(frozen=True, slots=True)
class PackageFiles:
    """A package read from disk. ``commit`` is set only when the files are exactly that commit's."""

    root: Path
    entries: dict[str, Entry]
    commit: str | None = None
    structure: Sequence[Refusal] = field(default_factory=tuple)

    @property
    def tree(self) -> TreeId:
        """The identity of the files."""
        return tree_id(self.entries)

    def texts(self) -> dict[str, bytes]:
        """The bytes of every file by path, links left out: what validation reads."""
        return {path: entry.data for path, entry in self.entries.items() if entry.mode != "120000"}


def package_root(path: Path) -> Path:
    """The folder of a package from the path of the folder or of its manifest; PLY6704 when neither exists."""
    if path.is_dir():
        return path.absolute()
    if path.is_file():
        return path.absolute().parent
    raise ClientError(
        "PLY6704", f"there is no {str(path)!r}", hint="give the folder of a package, or its melody.yaml"
    )


def read_package_files(path: Path) -> PackageFiles:
    """Read the package at ``path`` (folder or manifest)."""
    root = package_root(path)
    top = work_tree_root(root)
    if top is not None and top.resolve() == root.resolve() and is_clean(root):
        return read_commit(root, "HEAD")
    return PackageFiles(root, _addable(root, inside=top is not None))


def read_commit(repository: Path, revision: str) -> PackageFiles:
    """Read a package from the object store of a repository, at a commit."""
    with ObjectReader(repository) as objects:
        commit, _, _ = objects.named(f"{revision}^{{commit}}")
        tree, _, _ = objects.named(f"{revision}^{{tree}}")
        package = read_package(bytes.fromhex(tree), objects.read)
    return PackageFiles(repository, package.entries, commit, tuple(package.structure))


def _addable(root: Path, *, inside: bool) -> dict[str, Entry]:
    listing = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if inside:
        names = git(root, *listing)
    else:
        with tempfile.TemporaryDirectory(prefix="polyphony-") as scratch:
            git(root, "init", "--quiet", "--bare", scratch)
            names = git(root, f"--git-dir={scratch}", f"--work-tree={root}", *listing)
    found = sorted(set(names.split(b"\0")) - {b""})
    if len(found) > MAX_FILES:
        raise too_much(root)
    entries: dict[str, Entry] = {}
    room = MAX_BYTES
    for name in found:
        path = os.fsdecode(name)
        if path.endswith("/"):
            raise ClientError(
                "PLY6706",
                f"{root / path} is a git repository of its own; a package holds no other repositories",
                hint="remove it, or publish it as a package and name it in uses",
            )
        try:
            status = (root / path).lstat()
        except FileNotFoundError:
            continue
        entry = read_entry(root / path, status, room)
        if entry is None:
            raise too_much(root)
        entries[path] = entry
        room -= len(entry.data)
    return entries
