"""Commits read from the object store through ``git cat-file --batch``: one program for one walk.

Ids of the store only find objects; whoever reads computes the package's identity again from the bytes.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal, cast

from polyphony_registry.git.errors import GitError
from polyphony_registry.git.protocol import CommitFiles
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.tree_objects import read_package
from polyphony_schemas.trust.tree_rules import MAX_BLOB_BYTES, MAX_TOTAL_BYTES, Refusal, refusals

_SHOWN = 20


class ObjectReader:
    """Reads objects of one repository by id."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._requests = cast("IO[bytes]", process.stdin)
        self._answers = cast("IO[bytes]", process.stdout)

    def read(self, identity: str) -> tuple[str, bytes]:
        """Kind and bytes of an object. Raises GitError PLY4310 when the store lacks it or it is far too large."""
        self._requests.write(identity.encode() + b"\n")
        self._requests.flush()
        head = self._answers.readline().decode().split()
        if len(head) != 3 or head[1] == "missing":
            raise GitError(
                "PLY4310", f"the repository has no object {identity}", hint="push the commit first"
            )
        kind, size = head[1], int(head[2])
        if size > MAX_TOTAL_BYTES:
            raise GitError(
                "PLY4305", f"the object {identity} has {size} bytes", hint=f"at most {MAX_BLOB_BYTES}"
            )
        data = self._answers.read(size)
        self._answers.read(1)
        return kind, data


@contextmanager
def open_objects(repository: Path, environment: Mapping[str, str]) -> Iterator[ObjectReader]:
    """An ObjectReader whose program ends with the block."""
    process = subprocess.Popen(
        ["git", "-C", str(repository), "cat-file", "--batch"],
        env=dict(environment),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with process:
        try:
            yield ObjectReader(process)
        finally:
            process.kill()


def read_commit(repository: Path, commit: str, environment: Mapping[str, str]) -> CommitFiles:
    """The files of a commit, with every rule of a package tree checked.

    Raises GitError PLY4310 (no such commit), PLY4306 with all refusals in ``details`` (unsafe tree).
    """
    with open_objects(repository, environment) as objects:
        kind, body = objects.read(commit)
        if kind != "commit" or not body.startswith(b"tree "):
            raise GitError(
                "PLY4310", f"{commit} is a {kind}, expected a commit", hint="push the commit itself"
            )
        root = bytes.fromhex(body[5 : body.index(b"\n")].decode())
        try:
            package = read_package(root, lambda identity: objects.read(identity.hex()))
        except FormatError as error:
            raise unsafe_tree(commit, [Refusal("structure", "", error.message)]) from None
    found = refusals(package.entries, structure=package.structure)
    if found:
        raise unsafe_tree(commit, found)
    name: Literal["sha1", "sha256"] = "sha1" if len(root) == 20 else "sha256"
    return CommitFiles(name, commit, package.entries)


def unsafe_tree(commit: str, found: list[Refusal]) -> GitError:
    """The refusal of a tree, with everything that is wrong in it."""
    first = "; ".join(str(refusal) for refusal in found[:3])
    return GitError(
        "PLY4306",
        f"the tree of {commit[:12]} cannot be a package: {first}" + (" …" if len(found) > 3 else ""),
        hint="mend these paths, commit, and push again",
        details={
            "refusals": [{"rule": r.rule, "path": r.path, "detail": r.detail} for r in found[:_SHOWN]],
            "count": len(found),
        },
    )
