"""Step 3, last part: the way from a signer back to the name's first one, each hop signed by the signer before it."""

from __future__ import annotations

from collections.abc import Iterator

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.bundle import KeyBundle, parse_bundle, verify_bundle
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.history import RECOVERY_DELAY_S, SignerState, VersionState
from polyphony_schemas.trust.keys import PublicKey, parse_spki_text
from polyphony_schemas.trust.statement import (
    PAYLOAD_TYPE,
    KeyEntry,
    KeyStatement,
    package_url,
    parse_statement,
    signer_digest,
)
from polyphony_schemas.trust.verification.codes import refusal, refusing
from polyphony_schemas.trust.verification.model import FetchBundle, History, SignerLink

MAX_HOPS = 8


def check_signer(
    history: History, version: VersionState, registry: str, fetch_bundle: FetchBundle
) -> tuple[SignerState, tuple[SignerLink, ...]]:
    """(3) Give the version's signer and its chain, newest first: PLY5309.

    That it was current at the version's index was checked by the state rules; here every ``key.add`` on the way
    must carry a bundle that names the new key and verifies with a signer that was current before it.
    """
    where, signer = _signer(history, version)
    first = signer
    links = [_link(signer)]
    while signer.auth not in {"first", "recovery"}:
        if len(links) > MAX_HOPS:
            raise refusal("PLY5309", f"the chain of {first.signer.id!r} has more than {MAX_HOPS} hops")
        where, signer = _authoriser(history, where, signer, registry, fetch_bundle)
        links.append(_link(signer))
    return first, tuple(links)


def public_key_of(signer: SignerState) -> PublicKey:
    """Give the key of a managed signer: PLY5309 when the record's key does not fit its id."""
    entry = signer.signer
    if not isinstance(entry, KeyEntry):
        raise refusal(
            "PLY5309", f"the signer {entry.id!r} is keyless, this verification knows managed keys only"
        )
    with refusing("PLY5309"):
        key = parse_spki_text(entry.spki)
    if key.hint != entry.id:
        raise refusal(
            "PLY5309", f"record {signer.index} adds a key under the id {entry.id!r}, its own is {key.hint!r}"
        )
    return key


def check_key_statement(bundle: KeyBundle, registry: str, name: str, entry: KeyEntry | None) -> KeyStatement:
    """Check that a key bundle's payload authorises ``entry`` for ``name``; ``FormatError`` PLY5002 otherwise.

    The registry calls it too, before it logs a ``key.add``. The signature is checked by ``verify_bundle``.
    """
    if bundle.payload_type != PAYLOAD_TYPE:
        raise FormatError("PLY5002", f"a payload of type {bundle.payload_type!r}")
    statement = parse_statement(bundle.payload)
    if not isinstance(statement, KeyStatement):
        raise FormatError(
            "PLY5002", f"a statement of type {statement.predicate_type!r}, expected one about a key"
        )
    predicate, subject = statement.predicate, statement.subject[0]
    if subject.name != package_url(predicate.name) or subject.digest.sha256 != signer_digest(
        predicate.signer
    ):
        raise FormatError("PLY5002", "a key statement whose subject is another than its predicate")
    if predicate.registry != registry or predicate.name != name:
        raise FormatError("PLY5002", f"a key statement for {predicate.name} of {predicate.registry}")
    if predicate.publisher.id != bundle.hint:
        raise FormatError("PLY5002", "a key statement whose publisher did not sign it")
    if entry is not None and predicate.signer != entry:
        raise FormatError("PLY5002", f"a key statement about {predicate.signer.id!r}, expected {entry.id!r}")
    return statement


def _signer(history: History, version: VersionState) -> tuple[str, SignerState]:
    wanted = version.record.signer.id
    for name, signer in _known(history):
        if signer.signer.id == wanted and _current(signer, version.index, version.record.at):
            return name, signer
    raise refusal("PLY5309", f"{wanted!r} was no signer of {history.name} at record {version.index}")


def _authoriser(
    history: History, name: str, added: SignerState, registry: str, fetch_bundle: FetchBundle
) -> tuple[str, SignerState]:
    data = fetch_bundle(added.auth)
    if sha256_hex(data) != added.auth:
        raise refusal("PLY5309", f"the bundle that authorises {added.signer.id!r} is not the logged one")
    with refusing("PLY5309", f"the bundle that authorises {added.signer.id!r}: "):
        bundle = parse_bundle(data)
        for where, signer in _known(history):
            fits = where == name or "/" not in where
            if fits and signer.signer.id == bundle.hint and _current(signer, added.index, added.at):
                verify_bundle(bundle, {bundle.hint: public_key_of(signer)})
                entry = added.signer if isinstance(added.signer, KeyEntry) else None
                check_key_statement(bundle, registry, name, entry)
                return where, signer
    raise refusal("PLY5309", f"{bundle.hint!r} authorised {added.signer.id!r} and was no current signer then")


def _known(history: History) -> Iterator[tuple[str, SignerState]]:
    yield from ((history.name, signer) for signer in history.package.signers.values())
    namespace = history.name.split("/", 1)[0]
    yield from ((namespace, signer) for signer in history.namespace.signers.values())


def _current(signer: SignerState, index: int, at: int) -> bool:
    late = signer.auth == "recovery" and at < signer.at + RECOVERY_DELAY_S
    return signer.index < index and not late and (signer.revoked is None or signer.revoked > index)


def _link(signer: SignerState) -> SignerLink:
    return SignerLink(signer.signer.id, signer.auth, signer.index, signer.at)
