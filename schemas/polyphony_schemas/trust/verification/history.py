"""Step 3: the complete history of a name under a checkpoint, and what it says about one version."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.history import (
    HistoryState,
    NameState,
    UnauthorisedSignerError,
    VersionState,
    namespace_of,
    version_key,
)
from polyphony_schemas.trust.index import IndexLine, head_at, parse_index
from polyphony_schemas.trust.map_proof import MapProof, parse_map_proof
from polyphony_schemas.trust.merkle import verify_inclusion
from polyphony_schemas.trust.notes import Checkpoint
from polyphony_schemas.trust.records import Publish
from polyphony_schemas.trust.verification.checkpoint import check_freshness
from polyphony_schemas.trust.verification.codes import age_text, refusal, refusing
from polyphony_schemas.trust.verification.model import Binding, Evidence, History, VerifiedCheckpoint

# ``(checkpoint, index) -> hashes`` that show a record to stand at that index: ``TileReader(size, fetch).inclusion``.
InclusionProof = Callable[[Checkpoint, int], Sequence[bytes]]


def check_map(evidence: Evidence, verified: VerifiedCheckpoint) -> tuple[MapProof, MapProof]:
    """(3) Check that the last leaf is the keyed map, in both proofs: PLY5301."""
    package = _map(evidence.package_proof, verified.checkpoint)
    namespace = _map(evidence.namespace_proof, verified.checkpoint)
    return package, namespace


def check_history(
    name: str, evidence: Evidence, proofs: tuple[MapProof, MapProof], verified: VerifiedCheckpoint
) -> History:
    """(3) Check that the lines of package and namespace are complete and obey the rules: PLY5302, 5304, 5309.

    Lines of records that are newer than the checkpoint are ignored.
    """
    namespace = namespace_of(name)
    size = verified.checkpoint.size
    own = _lines(name, evidence.package_index, proofs[0], size)
    above = _lines(namespace, evidence.namespace_index, proofs[1], size)
    state = _replay([*own, *above])
    return History(
        name=name,
        checkpoint=verified.checkpoint,
        at=proofs[0].record.at,
        lines=tuple(own),
        namespace_lines=tuple(above),
        state=state,
        package=state.names.get(name) or NameState(),
        namespace=state.names.get(namespace) or NameState(),
    )


def check_positions(history: History, inclusion: InclusionProof) -> None:
    """(3) Check that the last records stand where their lines say: PLY5302.

    The index of every earlier record is inside the record that follows it (``prev``), so it is under the head; that
    of the last one is in no hash. Moved below a ``since``, a version by a stolen key would look sound.
    """
    for lines in (history.lines, history.namespace_lines):
        if not lines:
            continue
        last = lines[-1]
        with refusing("PLY5302", f"record {last.index} of {last.record.name} is not at that place: "):
            proof = inclusion(history.checkpoint, last.index)
            verify_inclusion(last.index, history.checkpoint.size, last.leaf, proof, history.checkpoint.root)


def check_log_freshness(history_at: int, verified: VerifiedCheckpoint, binding: Binding, now: int) -> None:
    """(2) Check the age by the map record when no quorum of witnesses vouches for it: PLY5204, PLY5207."""
    if verified.cosigned_at is None:
        check_freshness(history_at, binding, now)


def check_version(history: History, version: str, *, locked: bool = False) -> VersionState:
    """(3) Give the version: PLY5303 absent, PLY5305 yanked and not in the lock, PLY5306 quarantined."""
    found = history.package.versions.get(version_key(version))
    if found is None or found.record.version != version:
        raise refusal(
            "PLY5303", f"{history.name} has no version {version} in the log of {history.checkpoint.origin}"
        )
    reason = found.quarantined or history.package.quarantined
    if reason:
        raise refusal("PLY5306", f"{history.name} {version} is quarantined: {reason}")
    if found.yanked and not locked:
        raise refusal("PLY5305", f"{history.name} {version} was yanked: {found.yanked}")
    return found


def passed_over(history: History, version: VersionState, now: int, minimum_age_s: int) -> str:
    """Say why a version is not to be chosen (for the message of a resolution); ``""`` when it may be."""
    if version.quarantined or history.package.quarantined:
        return "quarantined"
    if version.yanked:
        return "yanked"
    if now - version.record.at < minimum_age_s:
        return (
            f"published {age_text(now - version.record.at)} ago, the minimum age is {age_text(minimum_age_s)}"
        )
    return ""


def _map(data: bytes, checkpoint: Checkpoint) -> MapProof:
    with refusing("PLY5301"):
        proof = parse_map_proof(data)
        if proof.size != checkpoint.size:
            raise refusal(
                "PLY5301", f"a map proof for size {proof.size}, the checkpoint has {checkpoint.size}"
            )
        proof.check_map(checkpoint.root)
    return proof


def _lines(name: str, data: bytes, proof: MapProof, size: int) -> list[IndexLine]:
    with refusing("PLY5302", f"the index of {name}: "):
        lines = [line for line in parse_index(data) if line.index < size]
        proof.check_head(name, head_at(lines, size))
    for line in lines:
        if line.record.name != name:
            raise refusal("PLY5302", f"a record of {line.record.name!r} in the index of {name!r}")
        if isinstance(line.record, Publish):
            _permissions(line, line.record)
    return lines


def _permissions(line: IndexLine, record: Publish) -> None:
    with refusing("PLY5302"):
        digest = canonical.digest(line.hints.get("permissions", {}))
    if digest != record.permissions:
        raise refusal(
            "PLY5302",
            f"the permissions of {record.name} {record.version} in the index hash to {digest}, "
            f"the record says {record.permissions}",
        )


def _replay(lines: Sequence[IndexLine]) -> HistoryState:
    state = HistoryState()
    try:
        for line in sorted(lines, key=lambda line: line.index):
            state.apply(line.index, line.record)
    except UnauthorisedSignerError as error:
        raise refusal("PLY5309", error.message) from None
    except FormatError as error:
        raise refusal("PLY5304", error.message, details=error.details) from None
    return state
