"""Whose signature a version carries: the key that signs it, and for a new namespace the key that enrols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from polyphony_registry.git.protocol import CommitFiles
from polyphony_registry.publishing.errors import PublishError
from polyphony_registry.publishing.manifest import Manifest
from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.bundle import KeyBundle, parse_bundle, verify_bundle
from polyphony_schemas.trust.history import HistoryState
from polyphony_schemas.trust.keys import PublicKey, parse_spki_text
from polyphony_schemas.trust.statement import (
    PAYLOAD_TYPE,
    Commit,
    KeyEntry,
    KeyStatement,
    ManifestClaim,
    PublishPredicate,
    PublishStatement,
    Sha256,
    parse_statement,
    publish_statement,
)

_ENROL_HINT = "polyphony publish --enrol"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the server knows of a version before it looks at the statement."""

    registry: str
    full_name: str
    files: CommitFiles
    tree: str
    manifest: Manifest


def read_bundle(data: bytes) -> KeyBundle:
    """Parse a bundle. Raises PublishError PLY4407."""
    try:
        bundle = parse_bundle(data)
    except FormatError as error:
        raise PublishError("PLY4407", error.message, hint="sign again with polyphony publish") from None
    if bundle.payload_type != PAYLOAD_TYPE:
        raise PublishError(
            "PLY4407", f"the payload type is {bundle.payload_type!r}", hint=f"expected {PAYLOAD_TYPE}"
        )
    return bundle


def check_statement(bundle: KeyBundle, facts: Facts) -> PublishStatement:
    """The signed statement, when it says exactly what the bytes say. Raises PublishError PLY4406, PLY4407."""
    statement = _statement(bundle)
    if not isinstance(statement, PublishStatement):
        raise PublishError(
            "PLY4406", "the statement is about a key, not about a version", hint="polyphony publish"
        )
    said = statement.predicate
    expected = _expected(facts, said)
    if publish_statement(expected).to_bytes() != bundle.payload:
        told, found = said.to_json(), expected.to_json()
        differing = [key for key in found if told.get(key) != found[key]] or ["subject"]
        raise PublishError(
            "PLY4406",
            f"the statement differs from the pushed bytes in: {', '.join(differing)}",
            hint="commit everything, then polyphony publish signs what is there",
            details={key: {"said": told.get(key), "found": found.get(key)} for key in differing},
        )
    if said.publisher.kind != "key" or said.publisher.id != bundle.hint:
        raise PublishError("PLY4406", "the statement names another publisher than the key that signed it")
    return statement


def enrolled_key(data: bytes, *, registry: str, namespace: str, hint: str) -> KeyEntry:
    """The key that a self-signed ``key:v1`` bundle enrols for a namespace. Raises PublishError PLY4413."""
    bundle = read_bundle(data)
    statement = _statement(bundle)
    if not isinstance(statement, KeyStatement):
        raise _not_enrolled("the enrolment holds no key statement")
    said = statement.predicate
    if said.registry != registry or said.name != namespace:
        raise _not_enrolled(f"the enrolment is for {said.name!r} at {said.registry!r}")
    if not isinstance(said.signer, KeyEntry) or said.signer.id != hint or said.publisher.id != hint:
        raise _not_enrolled("the enrolment is for another key than the one that signed the version")
    try:
        key = parse_spki_text(said.signer.spki)
        verify_bundle(bundle, {key.hint: key})
    except FormatError as error:
        raise _not_enrolled(error.message) from None
    if key.hint != said.signer.id:
        raise _not_enrolled("the key's id is not the digest of the key")
    return said.signer


def authorised_keys(state: HistoryState, full_name: str, at: int) -> dict[str, PublicKey]:
    """The managed keys that may sign the next version of a package, by hint."""
    keys = {}
    for identity, signer in state.signers_for(full_name, at).items():
        if isinstance(signer.signer, KeyEntry):
            keys[identity] = parse_spki_text(signer.signer.spki)
    return keys


def verify_signer(bundle: KeyBundle, keys: Mapping[str, PublicKey], full_name: str) -> None:
    """Raise PublishError unless one of ``keys`` signed: PLY4408 none enrolled, PLY4409 another key, PLY4407."""
    if not keys:
        raise PublishError(
            "PLY4408",
            f"{full_name.partition('/')[0]!r} has no signer yet",
            hint=f"enrol this key with the first version: {_ENROL_HINT}",
            status=409,
        )
    if bundle.hint not in keys:
        raise PublishError(
            "PLY4409",
            f"the key {bundle.hint} may not sign {full_name}",
            hint=f"sign with one of: {', '.join(sorted(keys))}",
            status=403,
        )
    try:
        verify_bundle(bundle, keys)
    except FormatError as error:
        raise PublishError("PLY4407", error.message, hint="sign again with polyphony publish") from None


def _expected(facts: Facts, said: PublishPredicate) -> PublishPredicate:
    """The statement the bytes call for; publisher and source are the publisher's own to say."""
    manifest = facts.manifest
    members: dict[str, object] = {
        "registry": facts.registry,
        "name": facts.full_name,
        "version": manifest.version,
        "kind": manifest.kind,
        "commit": Commit(format=facts.files.format, id=facts.files.commit),
        "tree": facts.tree,
        "manifest": ManifestClaim(path=manifest.path, sha256=manifest.digest),
        "permissions": Sha256(sha256=manifest.permissions_digest),
        "publisher": said.publisher,
    }
    if "source" in said.model_fields_set:
        members["source"] = said.source
    return PublishPredicate.model_validate(members)


def _statement(bundle: KeyBundle) -> PublishStatement | KeyStatement:
    try:
        return parse_statement(bundle.payload)
    except FormatError as error:
        raise PublishError("PLY4407", error.message, hint="sign again with polyphony publish") from None


def _not_enrolled(why: str) -> PublishError:
    return PublishError("PLY4413", why, hint=_ENROL_HINT)
