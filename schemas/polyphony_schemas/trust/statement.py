"""What a publisher signs: in-toto Statements v1, canonical JSON, unknown keys refused.

``publish``::

    {"_type": "https://in-toto.io/Statement/v1",
     "subject": [{"name": "pkg:polyphony/acme/flows@1.2.0", "digest": {"sha256": "<tree id>"}}],
     "predicateType": "urn:polyphony:attestation:publish:v1",
     "predicate": {"registry": "registry.example", "name": "acme/flows", "version": "1.2.0", "kind": "melody",
                   "commit": {"format": "sha1", "id": "<hex>"}, "tree": "<tree id>",
                   "manifest": {"path": "melody.yaml", "sha256": "<of its bytes>"},
                   "permissions": {"sha256": "<of the package's own upper bound>"},
                   "publisher": {"kind": "key", "id": "<hint>"},
                   "source": {"uri": "...", "ref": "refs/tags/v1.2.0"}}}

``key`` (a current signer names a new one; the new key signs one about itself when it is enrolled): the subject is
``pkg:polyphony/<name>`` with the SHA-256 of the new key's DER, the predicate
``{"registry", "name", "signer": <as in key.add>, "publisher"}``.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import AfterValidator, Field, StringConstraints, TypeAdapter, ValidationError

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.encoding import decode_base64
from polyphony_schemas.trust.fields import Base64Digest, HexDigest
from polyphony_schemas.trust.model import TrustModel, model_error

_CODE = "PLY5002"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
PUBLISH: Final = "urn:polyphony:attestation:publish:v1"
KEY: Final = "urn:polyphony:attestation:key:v1"

_SEMVER = (
    r"(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)"
    r"(?:-(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)(?:\.(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*))*)?"
    r"(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
)


def _matching(pattern: str, longest: int) -> StringConstraints:
    return StringConstraints(pattern=rf"\A(?:{pattern})\z", max_length=longest)


def _short_parts(name: str) -> str:
    if any(len(part) > 40 for part in name.split("/")):
        raise ValueError("a part of a name has at most 40 characters")
    return name


_PART = r"[a-z0-9]+(?:-[a-z0-9]+)*"
# ``owner/name``, a package.
PackageName = Annotated[str, _matching(rf"{_PART}/{_PART}", 81), AfterValidator(_short_parts)]
# ``owner``, a namespace, or ``owner/name``, a package.
RecordName = Annotated[str, _matching(rf"{_PART}(?:/{_PART})?", 81), AfterValidator(_short_parts)]
# SemVer 2, build metadata included.
VersionText = Annotated[str, _matching(_SEMVER, 128)]
# A registry's identity: host name, perhaps with a port or path.
RegistryName = Annotated[str, _matching(r"[a-z0-9](?:[a-z0-9._:/-]{0,198}[a-z0-9])?", 200)]
# An opaque account id.
AccountId = Annotated[str, _matching(r"[a-z][a-z0-9_]{0,63}", 64)]
# A git commit id, in either object format.
CommitId = Annotated[str, _matching(r"[0-9a-f]{40}|[0-9a-f]{64}", 64)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=512)]


class Commit(TrustModel):
    """The git commit the tree was taken from: a signed claim, not the identity."""

    format: Literal["sha1", "sha256"]
    id: CommitId


class KeyIdentity(TrustModel):
    """A managed key; ``id`` is its hint."""

    kind: Literal["key"]
    id: Base64Digest


class OidcIdentity(TrustModel):
    """A keyless publisher, by the ids of its forge or by e-mail address. ``id`` of a policy is its digest."""

    kind: Literal["oidc"]
    issuer: ShortText
    repository: ShortText = ""
    repository_id: ShortText = ""
    owner_id: ShortText = ""
    workflow: ShortText = ""
    ref: ShortText = ""
    email: ShortText = ""

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON of the identity, in hexadecimal."""
        return canonical.digest(self.to_json())


class KeyEntry(TrustModel):
    """A managed key with its DER in base64, as ``key.add`` records and key statements carry it."""

    kind: Literal["key"]
    id: Base64Digest
    spki: Annotated[str, StringConstraints(max_length=256)]


SignerEntry: TypeAlias = Annotated[KeyEntry | OidcIdentity, Field(discriminator="kind")]
Publisher: TypeAlias = Annotated[KeyIdentity | OidcIdentity, Field(discriminator="kind")]


class ManifestClaim(TrustModel):
    """The manifest's path in the tree and the SHA-256 of its bytes."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=240)]
    sha256: HexDigest


class Sha256(TrustModel):
    """A digest set with its one member."""

    sha256: HexDigest


class Source(TrustModel):
    """Where the source lives, a claim."""

    uri: ShortText
    ref: ShortText = ""


class Subject(TrustModel):
    """What the statement is about: a package URL and the tree id (or the new key's digest)."""

    name: ShortText
    digest: Sha256


class PublishPredicate(TrustModel):
    """The facts a publisher binds together."""

    registry: RegistryName
    name: PackageName
    version: VersionText
    kind: Literal["melody", "extension"]
    commit: Commit
    tree: HexDigest
    manifest: ManifestClaim
    permissions: Sha256
    publisher: Publisher
    source: Source = Field(default=None)  # type: ignore[assignment]  # absent, never null


class KeyPredicate(TrustModel):
    """A signer of ``name`` authorises ``signer``."""

    registry: RegistryName
    name: RecordName
    signer: SignerEntry
    publisher: Publisher


class PublishStatement(TrustModel):
    """The statement about a version."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:polyphony:attestation:publish:v1"] = Field(alias="predicateType")
    predicate: PublishPredicate


class KeyStatement(TrustModel):
    """The statement about a new signer."""

    type_: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: Annotated[list[Subject], Field(min_length=1, max_length=1)]
    predicate_type: Literal["urn:polyphony:attestation:key:v1"] = Field(alias="predicateType")
    predicate: KeyPredicate


Statement: TypeAlias = PublishStatement | KeyStatement
_ADAPTER: TypeAdapter[Statement] = TypeAdapter(
    Annotated[Statement, Field(discriminator="predicate_type")],
)


def package_url(name: str, version: str | None = None) -> str:
    """Give the subject name: ``pkg:polyphony/acme/flows@1.2.0``."""
    return f"pkg:polyphony/{name}" + (f"@{version}" if version else "")


def publish_statement(predicate: PublishPredicate) -> PublishStatement:
    """Wrap the facts about a version into the statement about its tree."""
    subject = Subject(
        name=package_url(predicate.name, predicate.version), digest=Sha256(sha256=predicate.tree)
    )
    return PublishStatement(
        type_=STATEMENT_TYPE, subject=[subject], predicate_type=PUBLISH, predicate=predicate
    )


def key_statement(predicate: KeyPredicate) -> KeyStatement:
    """Wrap the authorisation of a signer into its statement."""
    subject = Subject(name=package_url(predicate.name), digest=Sha256(sha256=signer_digest(predicate.signer)))
    return KeyStatement(type_=STATEMENT_TYPE, subject=[subject], predicate_type=KEY, predicate=predicate)


def signer_digest(signer: KeyEntry | OidcIdentity) -> str:
    """Hexadecimal digest that stands for a signer in a subject: of the key's DER, or of the policy."""
    return decode_base64(signer.id).hex() if isinstance(signer, KeyEntry) else signer.id


def parse_statement(payload: bytes) -> Statement:
    """Read a statement; ``FormatError`` PLY5002 when it is not canonical or breaks the format."""
    try:
        return _ADAPTER.validate_python(canonical.decode_object(payload), by_alias=True, by_name=False)
    except ValidationError as error:
        raise model_error(error, _CODE, "statement") from None
    except FormatError as error:
        raise FormatError(_CODE, f"statement: {error.message}", hint=error.hint) from None
