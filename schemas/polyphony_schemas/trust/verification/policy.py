"""Step 6: what the person of this machine accepts: the publisher, its continuity, the age, the permissions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from polyphony_schemas.trust.history import RECOVERY_DELAY_S, VersionState, version_key
from polyphony_schemas.trust.verification.codes import age_text, refusal
from polyphony_schemas.trust.verification.model import Binding, Consent, History, Locked, SignerLink
from polyphony_schemas.values import JsonObject, JsonValue


def check_policy(
    history: History,
    version: VersionState,
    signers: tuple[SignerLink, ...],
    *,
    binding: Binding,
    consent: Consent,
    now: int,
) -> tuple[str, ...]:
    """(6) PLY5601 publisher, PLY5602 continuity, PLY5603 age, PLY5604 permissions; gives notes for people."""
    record = version.record
    if consent.allowed_signers is not None and record.signer.id not in consent.allowed_signers:
        raise refusal(
            "PLY5601", f"{record.name} is signed by {record.signer.id!r}, which the policy does not list"
        )
    notes = _continuity(history, signers, consent, now)
    _age(version, binding, consent, now)
    _permissions(history, version, consent)
    return notes


def _continuity(
    history: History, signers: tuple[SignerLink, ...], consent: Consent, now: int
) -> tuple[str, ...]:
    locked = consent.locked
    if locked is None or signers[0].id == locked.signer:
        return ()
    if any(link.id == locked.signer for link in signers):
        return (f"the signer changed from {locked.signer} to {signers[0].id}, authorised by the locked one",)
    changes = [signers[0].at, signers[-1].at, history.package.changed, history.namespace.changed]
    newest = max(at for at in changes if at is not None)
    if not consent.accept_signer:
        raise refusal(
            "PLY5602",
            f"{history.name} is signed by {signers[0].id!r}, the lock has {locked.signer!r}, and no word of that "
            "signer leads to the new one",
        )
    if now - newest < RECOVERY_DELAY_S:
        raise refusal(
            "PLY5602",
            f"the signer of {history.name} changed {age_text(now - newest)} ago, it may be accepted after {age_text(RECOVERY_DELAY_S)}",
            hint="wait until the change is 7 days old",
        )
    return (f"the signer changed from {locked.signer} to {signers[0].id}, accepted by you",)


def _age(version: VersionState, binding: Binding, consent: Consent, now: int) -> None:
    record, locked = version.record, consent.locked
    if locked is not None and locked.index == version.index:
        return
    wanted = binding.minimum_age_s if consent.minimum_age_s is None else consent.minimum_age_s
    if now - record.at < wanted:
        raise refusal(
            "PLY5603",
            f"{record.name} {record.version} was published {age_text(now - record.at)} ago, the minimum age is {age_text(wanted)}",
            details={"published": record.at, "minimum_age_s": wanted},
        )


def _permissions(history: History, version: VersionState, consent: Consent) -> None:
    asked, locked = version.record.permissions, consent.locked
    if consent.permissions is not None:
        if consent.permissions != asked:
            raise _wider(history, version, f"you accepted {consent.permissions}", ())
        return
    if locked is None or locked.permissions == asked:
        return
    before = history.package.versions.get(version_key(locked.version))
    if before is None or before.record.permissions != locked.permissions:
        raise _wider(history, version, "the accepted permissions are not in the index any more", ())
    lines = _difference(history.hints(before), history.hints(version))
    if lines:
        raise _wider(history, version, "\n  " + "\n  ".join(lines), lines)


def _difference(before: JsonObject, after: JsonObject) -> list[str]:
    """What comes and goes, by key; nothing when a consent to ``before`` covers ``after``."""
    from polyphony_schemas.permissions.compare import difference, widens

    old, new = _declared(before.get("permissions")), _declared(after.get("permissions"))
    return difference(old, new) if widens(old, new) else []


def _declared(document: JsonValue) -> dict[str, tuple[JsonValue, ...] | Literal["granted"]]:
    if not isinstance(document, Mapping):
        return {}
    return {
        key: tuple(items) if isinstance(items, (list, tuple)) else "granted"
        for key, items in document.items()
    }


def _wider(history: History, version: VersionState, why: str, lines: Sequence[str]) -> Exception:
    digest = version.record.permissions
    return refusal(
        "PLY5604",
        f"{history.name} {version.record.version} asks for other permissions than were accepted:"
        f"{'' if lines else ' '}{why}",
        hint=f"look at them with polyphony info, then pass --accept-permissions {digest}",
        details={
            "digest": digest,
            "permissions": history.hints(version).get("permissions", {}),
            "difference": list(lines),
        },
    )


def locked_differs(locked: Locked, version: VersionState) -> list[str]:
    """Name the facts in which a lock entry and the log differ (``--frozen``: any is PLY5901)."""
    record = version.record
    facts: dict[str, tuple[object, object]] = {
        "version": (locked.version, record.version),
        "index": (locked.index, version.index),
        "commit": (locked.commit, record.commit),
        "tree": (locked.tree, record.tree),
        "bundle": (locked.bundle, record.bundle),
        "signer": (locked.signer, record.signer.id),
        "permissions": (locked.permissions, record.permissions),
    }
    return [fact for fact, (one, other) in facts.items() if one != other]
