"""Steps 1 and 2: which registry speaks for a name, and whether its log may be believed now."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.merkle import EMPTY_ROOT, verify_consistency
from polyphony_schemas.trust.notes import (
    Checkpoint,
    Note,
    NoteSignatureError,
    VerifierKey,
    open_note,
    parse_checkpoint,
    parse_verifier_key,
)
from polyphony_schemas.trust.verification.codes import refusal, refusing
from polyphony_schemas.trust.verification.model import MAX_AHEAD_S, Binding, Seen, VerifiedCheckpoint

# ``(checkpoint, old size) -> hashes`` that show the log of the old size to be its beginning.
ConsistencyProof = Callable[[Checkpoint, int], Sequence[bytes]]

_NAME = re.compile(r"(?P<owner>[a-z0-9]+(?:-[a-z0-9]+)*)/(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)")


def check_name(name: str, bindings: Iterable[Binding]) -> Binding:
    """(1) Give the one binding that speaks for ``name``: PLY5101, PLY5102. Nobody else is asked, whatever happens."""
    match = _NAME.fullmatch(name)
    if not match or len(match["owner"]) > 40 or len(match["name"]) > 40:
        raise refusal("PLY5101", f"{name!r} is no canonical package name, expected OWNER/NAME in lower case")
    for binding in bindings:
        if match["owner"] in binding.namespaces:
            return binding
    raise refusal("PLY5102", f"the namespace {match['owner']!r} of {name!r} is bound to no registry")


def check_checkpoint(
    note: bytes,
    binding: Binding,
    *,
    seen: Iterable[Seen] = (),
    consistency: ConsistencyProof,
    now: int,
) -> VerifiedCheckpoint:
    """(2) Check origin, log signature, quorum, age by cosignatures, and every point that was seen before.

    PLY5201 to PLY5207. Without a quorum the age needs the map record: ``check_freshness`` in the history step.
    Memory may advance when both have passed.
    """
    opened, checkpoint = _open(note, binding)
    cosigned_at = _quorum(opened, binding)
    if cosigned_at is not None:
        check_freshness(cosigned_at, binding, now, "cosigned by the quorum")
    for point in seen:
        _continues(checkpoint, point, consistency)
    return VerifiedCheckpoint(checkpoint, note, cosigned_at)


def check_freshness(at: int, binding: Binding, now: int, how: str = "asserted by the log only") -> None:
    """(2) Refuse a sign of life that is too old or from the future: PLY5204, PLY5207."""
    if at > now + MAX_AHEAD_S:
        raise refusal(
            "PLY5207", f"the log of {binding.origin} is {at - now} s ahead of this machine's clock ({how})"
        )
    if now - at > binding.max_age_s:
        raise refusal(
            "PLY5204",
            f"the newest sign of life of {binding.origin} is {now - at} s old by this machine's clock, "
            f"the limit is {binding.max_age_s} s ({how})",
        )


def _open(note: bytes, binding: Binding) -> tuple[Note, Checkpoint]:
    keys = _keys(binding.vkey, binding.witnesses)
    try:
        opened = open_note(note, keys)
        checkpoint = parse_checkpoint(opened.text)
    except NoteSignatureError as error:
        raise refusal(
            "PLY5202", f"the checkpoint is not signed by the log key of {binding.origin}: {error.message}"
        ) from None
    except FormatError as error:
        raise refusal("PLY5201", error.message) from None
    if checkpoint.origin != binding.log_origin:
        raise refusal("PLY5202", f"a checkpoint of {checkpoint.origin!r}, expected {binding.log_origin!r}")
    if keys[0].name not in opened.signers:
        raise refusal("PLY5202", f"the checkpoint is not signed by {keys[0].name!r}")
    return opened, checkpoint


@lru_cache(maxsize=64)
def _keys(vkey: str, witnesses: tuple[str, ...]) -> tuple[VerifierKey, ...]:
    with refusing("PLY5202", "the binding's log key: "):
        keys = tuple(parse_verifier_key(text) for text in (vkey, *witnesses))
    if len({key.raw for key in keys}) != len(keys) or len({key.name for key in keys}) != len(keys):
        raise refusal("PLY5203", "the binding lists one key or one name twice")
    return keys


def _quorum(opened: Note, binding: Binding) -> int | None:
    if not binding.quorum:
        return None
    times = sorted((time for time in opened.signers.values() if time is not None), reverse=True)
    if len(times) < binding.quorum:
        raise refusal("PLY5203", f"{len(times)} witnesses cosigned, the policy asks for {binding.quorum}")
    return times[binding.quorum - 1]


def _continues(checkpoint: Checkpoint, point: Seen, consistency: ConsistencyProof) -> None:
    if checkpoint.size < point.size:
        raise refusal(
            "PLY5205",
            f"the log has {checkpoint.size} records, {point.what} saw {point.size}",
            details=_both(checkpoint, point),
        )
    if point.size == 0 and point.root == EMPTY_ROOT:
        return
    try:
        proof = [] if checkpoint.size == point.size else consistency(checkpoint, point.size)
        verify_consistency(point.size, checkpoint.size, point.root, checkpoint.root, proof)
    except FormatError as error:
        raise refusal(
            "PLY5206",
            f"the log of {checkpoint.size} records does not begin with the {point.size} that {point.what} saw: "
            f"{error.message}",
            details=_both(checkpoint, point),
        ) from None


def _both(checkpoint: Checkpoint, point: Seen) -> dict[str, object]:
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "seen_size": point.size,
        "seen_root": point.root.hex(),
    }
