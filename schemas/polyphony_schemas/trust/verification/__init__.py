"""The verification of a package in eight numbered steps; any failure stops, each with its own code.

1. ``name``: canonical, its namespace bound to one registry.
2. ``checkpoint``: origin, log signature, quorum, age, consistent with everything seen before.
3. ``history``: the keyed map is the last leaf, the lines of package and namespace are complete and obey the rules,
   the version is there, not yanked, not quarantined, its signer authorised by an unbroken chain.
4. ``bundle``: the logged bytes, strictly read, signed by that signer.
5. ``statement``: one subject, every fact equal to the record, the publisher is who signed.
6. ``policy``: publisher, continuity with the lock, minimum age, permissions against consent.
7. ``content``: limits, tree id, rules, manifest, permissions recomputed. Downloaded only now.
8. ``store``: written from verified bytes and hashed again (the store's own part).

Everything here is a pure function over bytes handed in; time is a parameter. The usual order of calls::

    binding = check_name(name, bindings)
    checkpoint = check_checkpoint(note, binding, seen=..., consistency=..., now=now)
    history = verify_history(name, evidence, checkpoint, binding=binding, now=now, inclusion=prove)
    verified = verify_version(history, version, binding=binding, consent=consent, fetch_bundle=..., now=now)
    entries = unpack(chunks); check_content(entries, verified, read_manifest)
"""

from polyphony_schemas.trust.verification.checkpoint import check_checkpoint, check_freshness, check_name
from polyphony_schemas.trust.verification.codes import CODES, STEPS, refusal, refusing
from polyphony_schemas.trust.verification.content import ReadManifest, check_commit, check_content, unpack
from polyphony_schemas.trust.verification.history import (
    check_history,
    check_map,
    check_positions,
    check_version,
    passed_over,
)
from polyphony_schemas.trust.verification.model import (
    Binding,
    Consent,
    Evidence,
    History,
    Locked,
    ManifestFacts,
    Seen,
    SignerLink,
    Verified,
    VerifiedCheckpoint,
)
from polyphony_schemas.trust.verification.package import StepList, verify_history, verify_version
from polyphony_schemas.trust.verification.policy import check_policy, locked_differs
from polyphony_schemas.trust.verification.signers import check_key_statement, check_signer
from polyphony_schemas.trust.verification.statement import check_bundle, check_statement

__all__ = [
    "CODES",
    "STEPS",
    "Binding",
    "Consent",
    "Evidence",
    "History",
    "Locked",
    "ManifestFacts",
    "ReadManifest",
    "Seen",
    "SignerLink",
    "StepList",
    "Verified",
    "VerifiedCheckpoint",
    "check_bundle",
    "check_checkpoint",
    "check_commit",
    "check_content",
    "check_freshness",
    "check_history",
    "check_key_statement",
    "check_map",
    "check_name",
    "check_policy",
    "check_positions",
    "check_signer",
    "check_statement",
    "check_version",
    "locked_differs",
    "passed_over",
    "refusal",
    "refusing",
    "unpack",
    "verify_history",
    "verify_version",
]
