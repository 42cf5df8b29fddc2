"""The state rules of the log: one incremental function for server, witness and client.

``HistoryState.apply(index, record)`` takes records in log order (a client: those of one package and its namespace)
and raises ``FormatError`` PLY5013 for the first that breaks a rule, before it changes anything:

1. ``at`` never falls, indexes rise, ``prev`` is the name's latest record.
2. ``name.claim`` is a name's first record, and stands once.
3. ``key.add`` with ``first`` only while neither the name nor its namespace ever had a signer; else the digest of a
   bundle by a current signer of the package or its namespace, or ``recovery``, which counts 7 days later.
   A signer id stands once in a name.
4. ``key.revoke`` names a signer of the name that was not revoked.
5. One ``publish`` per (name, version without build metadata) for ever, by a signer that is current at that index:
   one of the package's, or of the namespace's as long as the package has none of its own.
6. Statuses name existing versions. ``map`` says its own index as ``size``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust.records import (
    KeyAdd,
    KeyRevoke,
    LogKey,
    MapRecord,
    NameClaim,
    NamedRecord,
    NameTransfer,
    OwnerChange,
    Publish,
    Quarantine,
    Record,
    Yank,
)
from polyphony_schemas.trust.statement import KeyEntry, OidcIdentity

RECOVERY_DELAY_S = 7 * 24 * 3600


@dataclass(slots=True)
class SignerState:
    """A signer of a name: when it was added and how, until when it counts."""

    index: int
    at: int
    signer: KeyEntry | OidcIdentity
    auth: str
    revoked: int | None = None
    reason: str = ""

    def current(self, at: int) -> bool:
        """Say whether it counts for the next record, at time ``at``."""
        return self.revoked is None and (self.auth != "recovery" or at >= self.at + RECOVERY_DELAY_S)


@dataclass(slots=True)
class VersionState:
    """A version: its record, and what happened to it since."""

    index: int
    record: Publish
    yanked: str = ""
    quarantined: str = ""


@dataclass(slots=True)
class NameState:
    """Everything the log says about one name. ``changed`` is the ``at`` of the last transfer or owner change."""

    claimed: int = -1
    latest: int = -1
    owner: str = ""
    members: set[tuple[str, str]] = field(default_factory=set)
    changed: int | None = None
    signers: dict[str, SignerState] = field(default_factory=dict)
    versions: dict[str, VersionState] = field(default_factory=dict)
    quarantined: str = ""

    def current_signers(self, at: int) -> Iterator[SignerState]:
        """Give the signers that count at time ``at`` for the next record."""
        return (signer for signer in self.signers.values() if signer.current(at))


@dataclass(slots=True)
class HistoryState:
    """The state after the records so far; empty at the start of a log."""

    names: dict[str, NameState] = field(default_factory=dict)
    last_index: int = -1
    last_at: int = 0

    def apply(self, index: int, record: Record) -> None:
        """Take the next record, or raise ``FormatError`` PLY5013 and stay as it was."""
        if index <= self.last_index:
            raise broken(index, f"follows record {self.last_index}")
        if record.at < self.last_at:
            raise broken(index, f"its time {record.at} is before {self.last_at}")
        if isinstance(record, MapRecord):
            if record.size != index:
                raise broken(index, f"a map of size {record.size}")
        else:
            self._named(index, record)
        self.last_index, self.last_at = index, record.at

    def signers_for(self, name: str, at: int) -> dict[str, SignerState]:
        """Give who may sign the next version of ``name``: the package's own signers, else the namespace's."""
        own = {state.signer.id: state for state in self._state(name).current_signers(at)}
        if own or "/" not in name:
            return own
        return {state.signer.id: state for state in self._state(namespace_of(name)).current_signers(at)}

    def authorisers_for(self, name: str, at: int) -> dict[str, SignerState]:
        """Give who may authorise a further signer of ``name``: the signers of the package and of its namespace."""
        found = {state.signer.id: state for state in self._state(namespace_of(name)).current_signers(at)}
        found.update({state.signer.id: state for state in self._state(name).current_signers(at)})
        return found

    def latest(self, name: str) -> int:
        """Give the index of the name's latest record, -1 without one: the ``prev`` of its next record."""
        return self._state(name).latest

    def _state(self, name: str) -> NameState:
        return self.names.get(name) or NameState()

    def _named(self, index: int, record: NamedRecord) -> None:
        state = self._state(record.name)
        if record.prev != state.latest:
            raise broken(
                index, f"prev is {record.prev}, the latest record of {record.name!r} is {state.latest}"
            )
        if isinstance(record, NameClaim):
            if state.claimed >= 0:
                raise broken(index, f"a second claim of {record.name!r}")
            state.claimed, state.owner = index, record.owner
        elif isinstance(record, LogKey):
            pass
        elif state.claimed < 0:
            raise broken(index, f"{record.name!r} was never claimed")
        else:
            self._claimed(index, record, state)
        state.latest = index
        self.names[record.name] = state

    def _claimed(self, index: int, record: NamedRecord, state: NameState) -> None:
        if isinstance(record, KeyAdd):
            self._key_add(index, record, state)
        elif isinstance(record, KeyRevoke):
            _key_revoke(index, record, self.names, state)
        elif isinstance(record, Publish):
            self._publish(index, record, state)
        elif isinstance(record, (Yank, Quarantine)):
            _status(index, record, state)
        elif isinstance(record, NameTransfer):
            if record.from_ != state.owner:
                raise broken(index, f"a transfer from {record.from_!r}, the owner is {state.owner!r}")
            state.owner, state.changed = record.to, record.at
        elif isinstance(record, OwnerChange):
            state.members |= {(member.id, member.role) for member in record.add}
            state.members -= {(member.id, member.role) for member in record.remove}
            state.changed = record.at

    def _key_add(self, index: int, record: KeyAdd, state: NameState) -> None:
        signer = record.signer
        if signer.id in state.signers:
            raise broken(index, f"the signer {signer.id!r} was added before")
        if record.auth == "first":
            if state.signers or self._state(namespace_of(record.name)).signers:
                raise broken(index, "a first signer where there was one already")
        elif record.auth != "recovery" and not self.authorisers_for(record.name, record.at):
            raise broken(index, "no current signer could have authorised this one")
        state.signers[signer.id] = SignerState(index, record.at, signer, record.auth)

    def _publish(self, index: int, record: Publish, state: NameState) -> None:
        key = version_key(record.version)
        if key in state.versions:
            raise broken(
                index, f"{record.name} {record.version} exists since record {state.versions[key].index}"
            )
        signer = self.signers_for(record.name, record.at).get(record.signer.id)
        if signer is None or signer.signer.kind != record.signer.kind:
            raise UnauthorisedSignerError(
                "PLY5013",
                f"record {index}: {record.signer.id!r} is no current signer of {record.name!r}",
                details={"index": index},
            )
        state.versions[key] = VersionState(index, record)


class UnauthorisedSignerError(FormatError):
    """A ``publish`` record by a signer that was not current."""


def namespace_of(name: str) -> str:
    """Give the namespace of a package; a namespace is its own."""
    return name.split("/", 1)[0]


def version_key(version: str) -> str:
    """Give what may stand once: the version without build metadata."""
    return version.split("+", 1)[0]


def broken(index: int, what: str) -> FormatError:
    """Build the error of a record that breaks a rule."""
    return FormatError("PLY5013", f"record {index}: {what}", details={"index": index})


def _key_revoke(index: int, record: KeyRevoke, names: dict[str, NameState], state: NameState) -> None:
    signer = state.signers.get(record.signer)
    if signer is None or signer.revoked is not None:
        raise broken(index, f"{record.signer!r} is no signer of {record.name!r} to revoke")
    compromised = record.reason == "compromised"
    if compromised and record.since > index:
        raise broken(index, f"compromised since {record.since}, which is later")
    signer.revoked, signer.reason = index, record.reason
    if not compromised:
        return
    below = [state] if "/" in record.name else _packages(record.name, names, state)
    for name in below:
        for version in name.versions.values():
            if version.record.signer.id == record.signer and version.index >= record.since:
                version.quarantined = "compromised"


def _packages(namespace: str, names: dict[str, NameState], state: NameState) -> list[NameState]:
    return [state, *(other for name, other in names.items() if name.startswith(namespace + "/"))]


def _status(index: int, record: Yank | Quarantine, state: NameState) -> None:
    if record.version is None:
        state.quarantined = record.reason if record.type == "quarantine" else ""
        return
    version = state.versions.get(version_key(record.version))
    if version is None or version.record.version != record.version:
        raise broken(index, f"{record.name} {record.version} does not exist")
    if isinstance(record, Yank):
        version.yanked = record.reason if record.type == "yank" else ""
    else:
        version.quarantined = record.reason if record.type == "quarantine" else ""
