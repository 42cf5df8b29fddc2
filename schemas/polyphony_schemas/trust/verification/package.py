"""Steps 1 to 6 in a row, and the list of steps that ``polyphony verify`` prints."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from polyphony_schemas.errors import TrustError
from polyphony_schemas.trust.verification.codes import STEPS
from polyphony_schemas.trust.verification.history import (
    InclusionProof,
    check_history,
    check_log_freshness,
    check_map,
    check_positions,
    check_version,
)
from polyphony_schemas.trust.verification.model import (
    Binding,
    Consent,
    Evidence,
    FetchBundle,
    History,
    Verified,
    VerifiedCheckpoint,
)
from polyphony_schemas.trust.verification.policy import check_policy
from polyphony_schemas.trust.verification.signers import check_signer
from polyphony_schemas.trust.verification.statement import check_bundle, check_statement

# Called when step 2 has passed: the moment at which the client's memory may advance.
OnFresh = Callable[[VerifiedCheckpoint], None]


@dataclass(slots=True)
class StepList:
    """What was checked so far: one object for each step, a failed one last."""

    items: list[dict[str, object]] = field(default_factory=list)

    @contextmanager
    def step(self, number: int, detail: str) -> Iterator[None]:
        """Run the checks of one step; a refusal inside is listed and goes on upwards.

        A block may reach into the next step (the age of a log is in its map record): a refusal by that step means
        that this one passed.
        """
        try:
            yield
        except TrustError as error:
            if error.step > number:
                self.add(number, ok=True, code=None, detail=detail)
            self.add(error.step, ok=False, code=error.code, detail=error.message)
            raise
        self.add(number, ok=True, code=None, detail=detail)

    def add(self, number: int, *, ok: bool, code: str | None, detail: str) -> None:
        """List the outcome of step ``number``, 1 to 8."""
        self.items.append({"step": STEPS[number - 1], "ok": ok, "code": code, "detail": detail})


def verify_history(
    name: str,
    evidence: Evidence,
    verified: VerifiedCheckpoint,
    *,
    binding: Binding,
    now: int,
    on_fresh: OnFresh | None = None,
    inclusion: InclusionProof | None = None,
) -> History:
    """Finish step 2 (age) and do the part of step 3 that belongs to the name: the map, then its history.

    ``inclusion`` binds the indexes of the last records (``check_positions``). Leave it out only offline, where the
    version's index is compared with a lock that was written with it.
    """
    proofs = check_map(evidence, verified)
    check_log_freshness(proofs[0].record.at, verified, binding, now)
    if on_fresh is not None:
        on_fresh(verified)
    history = check_history(name, evidence, proofs, verified)
    if inclusion is not None:
        check_positions(history, inclusion)
    return history


def verify_version(
    history: History,
    version: str,
    *,
    binding: Binding,
    consent: Consent,
    fetch_bundle: FetchBundle,
    now: int,
    steps: StepList | None = None,
) -> Verified:
    """Do the rest of step 3 and steps 4 to 6 for one version. Content is fetched after this.

    ``fetch_bundle`` is asked for the version's bundle and for those of ``key.add`` records on the signer's way.
    """
    steps = StepList() if steps is None else steps
    locked = consent.locked
    with steps.step(3, f"{version} is in the complete history under {history.checkpoint.size} records"):
        in_lock = locked is not None and locked.version == version
        state = check_version(history, version, locked=in_lock)
        signer, signers = check_signer(history, state, binding.origin, fetch_bundle)
    record = state.record
    with steps.step(4, f"signed by the managed key {record.signer.id}"):
        bundle = check_bundle(fetch_bundle(record.bundle), record, signer)
    with steps.step(5, "the statement says what the log says"):
        statement = check_statement(bundle, record, binding.origin)
    with steps.step(6, "publisher, age and permissions are accepted"):
        notes = check_policy(history, state, signers, binding=binding, consent=consent, now=now)
    document = history.hints(state).get("permissions", {})
    return Verified(
        name=record.name,
        version=record.version,
        registry=binding.origin,
        log_origin=binding.log_origin,
        index=state.index,
        commit=record.commit,
        tree=record.tree,
        bundle=record.bundle,
        signer=record.signer.id,
        permissions=record.permissions,
        at=record.at,
        manifest_path=statement.predicate.manifest.path,
        manifest_sha256=record.manifest,
        statement=statement,
        signers=signers,
        permissions_document=document if isinstance(document, dict) else {},
        notes=notes,
    )
