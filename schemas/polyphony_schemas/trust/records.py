"""The records of the log: canonical JSON, at most 4,096 bytes, one model for each ``type``.

Common to all: ``v`` 1, ``type``, ``name`` (package ``acme/flows`` or namespace ``acme``), ``at`` (unix seconds, never
falling), ``prev`` (index of the name's latest record, else -1). ``by`` and ``owner`` are opaque account ids: a
public log is for ever, so it holds no names of people and no free text.

>>> record = parse_record(b'{"at":1790000000,"how":"new","name":"acme/flows","owner":"u_01h",'
...                       b'"prev":-1,"type":"name.claim","v":1}')
>>> type(record).__name__, record.name
('NameClaim', 'acme/flows')

The last leaf under every checkpoint is a ``map`` record: ``size`` is its own index, ``root`` that of the keyed map.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.trust.fields import HexDigest, One
from polyphony_schemas.trust.model import TrustModel, model_error
from polyphony_schemas.trust.statement import (
    AccountId,
    CommitId,
    PackageName,
    RecordName,
    SignerEntry,
    VersionText,
)
from polyphony_schemas.values import JsonObject

_CODE = "PLY5008"
MAX_RECORD_BYTES = 4_096
LOG_NAME = ".log"

_Number = Annotated[int, Field(ge=0)]
_SignerId = Annotated[str, StringConstraints(pattern=r"\A(?:[A-Za-z0-9+/]{43}=|[0-9a-f]{64})\z")]
# Why a version was yanked or quarantined: a code, never text.
Reason = Literal[
    "broken", "security", "malware", "mistake", "legal", "policy", "compromised", "superseded", "resolved"
]
Role = Literal["owner", "creator", "executor", "auditor", "admin"]


class _Record(TrustModel):
    v: One
    at: _Number


class _Named(_Record):
    name: RecordName
    prev: Annotated[int, Field(ge=-1)]


class _Package(_Record):
    name: PackageName
    prev: Annotated[int, Field(ge=-1)]


class NameClaim(_Named):
    """The first record of a name."""

    type: Literal["name.claim"]
    owner: AccountId
    how: Literal["new", "dns", "forge", "admin"]


class NameTransfer(_Named):
    """The name goes to another owner; ``auth`` is a bundle digest or ``admin``."""

    type: Literal["name.transfer"]
    from_: AccountId = Field(alias="from")
    to: AccountId
    auth: HexDigest | Literal["admin"]


class Membership(TrustModel):
    """An account and its role."""

    id: AccountId
    role: Role


class OwnerChange(_Named):
    """Accounts gain or lose roles."""

    type: Literal["owner.change"]
    add: Annotated[list[Membership], Field(max_length=20)]
    remove: Annotated[list[Membership], Field(max_length=20)]
    by: AccountId


class KeyAdd(_Named):
    """A signer is authorised: ``first``, by the digest of a current signer's key bundle, or by ``recovery``."""

    type: Literal["key.add"]
    signer: SignerEntry
    auth: HexDigest | Literal["first", "recovery"]


class KeyRevoke(_Named):
    """A signer stops counting; what it signed from ``since`` on is quarantined when it was compromised."""

    type: Literal["key.revoke"]
    signer: _SignerId
    reason: Literal["rotated", "lost", "compromised"]
    since: _Number = Field(default=None)  # type: ignore[assignment]  # absent unless compromised, never null

    @model_validator(mode="after")
    def _since_with_compromised(self) -> KeyRevoke:
        if ("since" in self.model_fields_set) != (self.reason == "compromised"):
            raise ValueError("since stands with the reason compromised, and only there")
        return self


class RecordSigner(TrustModel):
    """Who signed a version: kind and id of one of the name's signers."""

    kind: Literal["key", "oidc"]
    id: _SignerId


class Publish(_Package):
    """A version exists, for ever. ``bundle`` is the SHA-256 of the stored bundle's bytes."""

    type: Literal["publish"]
    version: VersionText
    commit: CommitId
    tree: HexDigest
    manifest: HexDigest
    permissions: HexDigest
    bundle: HexDigest
    signer: RecordSigner


class Yank(_Package):
    """A version should not be chosen any more."""

    type: Literal["yank", "unyank"]
    version: VersionText
    reason: Reason
    by: AccountId


class Quarantine(_Package):
    """A version, or with null all of them, must not be installed (``release`` ends it)."""

    type: Literal["quarantine", "release"]
    version: VersionText | None
    reason: Reason
    by: AccountId


class LogKey(_Record):
    """The log's next key; ``name`` is ``.log``."""

    type: Literal["log.key"]
    name: Literal[".log"]
    prev: Annotated[int, Field(ge=-1)]
    vkey: Annotated[str, StringConstraints(max_length=400)]
    from_: _Number = Field(alias="from")


class MapRecord(_Record):
    """The keyed map's root over every record before this one."""

    type: Literal["map"]
    size: _Number
    root: HexDigest


NamedRecord: TypeAlias = (
    NameClaim | NameTransfer | OwnerChange | KeyAdd | KeyRevoke | Publish | Yank | Quarantine | LogKey
)
Record: TypeAlias = NamedRecord | MapRecord
_ADAPTER: TypeAdapter[Any] = TypeAdapter(Annotated[Record, Field(discriminator="type")])


def parse_record(data: bytes) -> Record:
    """Read one record; ``FormatError`` PLY5008 when it is too long, not canonical, or of no known form."""
    if len(data) > MAX_RECORD_BYTES:
        raise FormatError(_CODE, f"a log record of {len(data)} bytes, the limit is {MAX_RECORD_BYTES}")
    try:
        return record_from_json(canonical.decode_object(data))
    except FormatError as error:
        raise FormatError(_CODE, f"log record: {error.message}") from None


def record_from_json(value: JsonObject) -> Record:
    """Check a record that was read already; ``FormatError`` PLY5008."""
    try:
        record: Record = _ADAPTER.validate_python(value, by_alias=True, by_name=False)
    except ValidationError as error:
        raise model_error(error, _CODE, "log record") from None
    return record


def encode_record(record: Record) -> bytes:
    """Give the bytes of the leaf; ``FormatError`` PLY5008 over 4,096 bytes."""
    data = record.to_bytes()
    if len(data) > MAX_RECORD_BYTES:
        raise FormatError(_CODE, f"a log record of {len(data)} bytes, the limit is {MAX_RECORD_BYTES}")
    return data
