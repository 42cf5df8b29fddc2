"""The seam to whatever holds the repositories and speaks git's wire protocol.

One contract test drives every implementation with a real git client (``tests/registry/test_git_contract.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Literal, Protocol

from polyphony_schemas.trust.tree import Entries

Service = Literal["upload-pack", "receive-pack"]
# What HEAD of every repository means: the branch that a plain clone checks out.
DEFAULT_BRANCH = "refs/heads/main"


@dataclass(frozen=True, slots=True)
class Repository:
    """Which repository: the two parts of a package's name, already checked."""

    owner: str
    name: str

    def __str__(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class CommitFiles:
    """A commit read from the object store: hash format, id, and every file and link with its bytes."""

    format: Literal["sha1", "sha256"]
    commit: str
    entries: Entries


class GitService(Protocol):
    """Repositories by name. All methods may be called from many threads and processes at once."""

    def exists(self, repository: Repository) -> bool:
        """Whether the repository is there."""
        ...

    def create(self, repository: Repository) -> None:
        """Make an empty repository; nothing happens when it exists. Two calls at once are fine."""
        ...

    def advertise(self, repository: Repository, service: Service, version: str | None) -> Iterator[bytes]:
        """Refs and capabilities, without the ``# service=`` header. ``version`` is git's ``Git-Protocol`` header."""
        ...

    def upload_pack(self, repository: Repository, body: IO[bytes], version: str | None) -> Iterator[bytes]:
        """Answer one fetch request. Closing the iterator ends the work at once."""
        ...

    def receive_pack(self, repository: Repository, body: IO[bytes]) -> Iterator[bytes]:
        """Take one push, all or nothing, under the push limits; refusals travel inside git's own report."""
        ...

    def resolve(self, repository: Repository, ref: str) -> str | None:
        """The commit id a full ref name points at, or None."""
        ...

    def refs(self, repository: Repository, prefix: str) -> dict[str, str]:
        """Full ref names below ``prefix`` with their ids."""
        ...

    def write_ref(self, repository: Repository, ref: str, commit: str) -> None:
        """Point a ref at a commit, made or moved."""
        ...

    def advance(self, repository: Repository, ref: str, commit: str) -> bool:
        """Make a branch at a commit, or move it there from an ancestor; anything else stays. Whether it is there now."""
        ...

    def delete_ref(self, repository: Repository, ref: str) -> None:
        """Drop a ref; nothing happens when it is not there."""
        ...

    def files(self, repository: Repository, commit: str) -> CommitFiles:
        """Read a commit from the object store, hashing nothing and trusting no checkout.

        Raises GitError when the commit is missing or its tree breaks the rules of a package tree.
        """
        ...
