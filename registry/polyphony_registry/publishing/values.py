"""What travels through a publish: the submission, what was checked of it, the published version."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_registry.git.protocol import CommitFiles
from polyphony_registry.publishing.manifest import Manifest
from polyphony_schemas.trust.bundle import KeyBundle
from polyphony_schemas.trust.statement import KeyEntry, PublishStatement


@dataclass(frozen=True, slots=True)
class Submission:
    """What a publisher sends. ``bundle`` and ``enrol`` are bytes as they will be stored and verified."""

    owner: str
    name: str
    version: str
    commit: str
    bundle: bytes
    enrol: bytes | None = None

    @property
    def full_name(self) -> str:
        """``owner/name``."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True, slots=True)
class Published:
    """A version as it stands in the log. ``repeated``: it was there before, byte for byte."""

    name: str
    version: str
    tree: str
    permissions: str
    bundle: str
    signer: str
    log_index: int
    at: int
    checkpoint: str
    enrolled: bool = False
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Checked:
    """A submission that passed steps 2 to 6."""

    submission: Submission
    files: CommitFiles
    tree: str
    manifest: Manifest
    bundle: KeyBundle
    statement: PublishStatement
    enrolment: KeyEntry | None
