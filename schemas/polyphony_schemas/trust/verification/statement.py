"""Steps 4 and 5: the bundle is the logged one and truly signed, and its statement says what the record says."""

from __future__ import annotations

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.bundle import (
    MAX_BYTES,
    InvalidSignatureError,
    KeyBundle,
    UnauthorisedKeyError,
    parse_bundle,
    verify_bundle,
)
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.history import SignerState
from polyphony_schemas.trust.records import Publish
from polyphony_schemas.trust.statement import (
    PAYLOAD_TYPE,
    PublishStatement,
    package_url,
    parse_statement,
)
from polyphony_schemas.trust.verification.codes import refusal, refusing
from polyphony_schemas.trust.verification.signers import public_key_of


def check_bundle(data: bytes, record: Publish, signer: SignerState) -> KeyBundle:
    """(4) Check size and digest, format, the named key, the signature: PLY5401 to PLY5404."""
    if len(data) > MAX_BYTES or sha256_hex(data) != record.bundle:
        raise refusal(
            "PLY5401", f"the bundle of {record.name} {record.version} has another digest than the log says"
        )
    with refusing("PLY5402"):
        bundle = parse_bundle(data)
    try:
        verify_bundle(bundle, {record.signer.id: public_key_of(signer)})
    except UnauthorisedKeyError as error:
        raise refusal("PLY5403", error.message) from None
    except InvalidSignatureError as error:
        raise refusal("PLY5404", error.message) from None
    return bundle


def check_statement(bundle: KeyBundle, record: Publish, registry: str) -> PublishStatement:
    """(5) Check types, subject, every fact against the record, the publisher: PLY5501 to PLY5504."""
    statement = _statement(bundle)
    predicate, subject = statement.predicate, statement.subject[0]
    if subject.digest.sha256 != record.tree or subject.name != package_url(record.name, record.version):
        raise refusal("PLY5502", f"a statement about {subject.name} with the tree {subject.digest.sha256}")
    facts = {
        "registry": (predicate.registry, registry),
        "name": (predicate.name, record.name),
        "version": (predicate.version, record.version),
        "commit": (predicate.commit.id, record.commit),
        "tree": (predicate.tree, record.tree),
        "manifest": (predicate.manifest.sha256, record.manifest),
        "permissions": (predicate.permissions.sha256, record.permissions),
    }
    for fact, (signed, logged) in facts.items():
        if signed != logged:
            raise refusal("PLY5503", f"the statement says {fact} {signed!r}, the log says {logged!r}")
    if predicate.publisher.kind != record.signer.kind or predicate.publisher.id != bundle.hint:
        raise refusal("PLY5504", f"the statement names {predicate.publisher.id!r}, signed by {bundle.hint!r}")
    return statement


def _statement(bundle: KeyBundle) -> PublishStatement:
    if bundle.payload_type != PAYLOAD_TYPE:
        raise refusal("PLY5501", f"a payload of type {bundle.payload_type!r}, expected {PAYLOAD_TYPE!r}")
    try:
        statement = parse_statement(bundle.payload)
    except FormatError as error:
        about_subject = ".subject" in str(error.details.get("place", ""))
        raise refusal("PLY5502" if about_subject else "PLY5501", error.message) from None
    if not isinstance(statement, PublishStatement):
        raise refusal("PLY5501", f"a statement of type {statement.predicate_type!r}")
    return statement
