"""The values that go into a verification and come out of it. Times are unix seconds, ages are seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from polyphony_schemas.trust.history import HistoryState, NameState, VersionState
from polyphony_schemas.trust.index import IndexLine
from polyphony_schemas.trust.notes import Checkpoint
from polyphony_schemas.trust.statement import PublishStatement
from polyphony_schemas.values import JsonObject

DAY_S = 24 * 3600
# How far the clock of the log may be ahead of ours.
MAX_AHEAD_S = 300

# ``(SHA-256 in hex) -> bytes`` of a stored bundle; raises what its transport raises.
FetchBundle = Callable[[str], bytes]


@dataclass(frozen=True, slots=True)
class Binding:
    """What a person decided about one registry: its origin, its log and key, the namespaces it speaks for.

    ``witnesses`` are verifier keys of which ``quorum`` must have cosigned; with 0 the age of a checkpoint is what
    the log itself asserts in its map record.
    """

    origin: str
    log_origin: str
    vkey: str
    namespaces: tuple[str, ...]
    minimum_age_s: int = 3 * DAY_S
    max_age_s: int = DAY_S
    witnesses: tuple[str, ...] = ()
    quorum: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """A point of the log that this client or its lock saw before; ``what`` says which, for the message."""

    size: int
    root: bytes
    what: str = "this client"


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint whose signatures verified. ``cosigned_at``: time of the quorum's last cosignature, if any."""

    checkpoint: Checkpoint
    note: bytes
    cosigned_at: int | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A name's complete history at one checkpoint. ``at`` is the time of the log's map record."""

    name: str
    checkpoint: Checkpoint
    at: int
    lines: tuple[IndexLine, ...]
    namespace_lines: tuple[IndexLine, ...]
    state: HistoryState
    package: NameState
    namespace: NameState

    def hints(self, version: VersionState) -> JsonObject:
        """Give the resolver hints of a version; its permissions document is verified, the rest is not."""
        return next((line.hints for line in self.lines if line.index == version.index), {})


@dataclass(frozen=True, slots=True)
class SignerLink:
    """One hop from a signer back to where its chain begins (``auth`` is ``first`` or ``recovery`` there)."""

    id: str
    auth: str
    index: int
    at: int


@dataclass(frozen=True, slots=True)
class Locked:
    """What the lock says about a package, as far as the verification compares it."""

    version: str
    index: int
    commit: str
    tree: str
    bundle: str
    signer: str
    permissions: str


@dataclass(frozen=True, slots=True)
class Consent:
    """What the person of this machine decided: part of step 6.

    ``locked`` is the package's entry in the lock, if any, of this or an earlier version; ``permissions`` is a digest
    they accepted on the command line. Without either, installing is the consent.
    """

    locked: Locked | None = None
    permissions: str | None = None
    accept_signer: bool = False
    minimum_age_s: int | None = None
    allowed_signers: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class ManifestFacts:
    """What a manifest says about itself. ``permissions`` is the digest recomputed from the tree."""

    name: str
    version: str
    permissions: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The bytes of one package that a registry, mirror, store or export handed over; none of them is trusted."""

    package_index: bytes
    package_proof: bytes
    namespace_index: bytes
    namespace_proof: bytes


@dataclass(frozen=True, slots=True)
class Verified:
    """A version that passed steps 1 to 6: what goes into the lock, and what step 7 compares the content with."""

    name: str
    version: str
    registry: str
    log_origin: str
    index: int
    commit: str
    tree: str
    bundle: str
    signer: str
    permissions: str
    at: int
    manifest_path: str
    manifest_sha256: str
    statement: PublishStatement
    signers: tuple[SignerLink, ...]
    permissions_document: Mapping[str, object] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_locked(self) -> Locked:
        """Give what a lock keeps for the next comparison."""
        return Locked(
            self.version, self.index, self.commit, self.tree, self.bundle, self.signer, self.permissions
        )
