"""``info``: what the verified history of a name says, without asking a registry for an opinion."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_runner.install.resolve import Resolver
from polyphony_schemas.names import PackageReference
from polyphony_schemas.semver import Range, Version
from polyphony_schemas.trust.history import VersionState
from polyphony_schemas.trust.verification import History, passed_over, refusal


@dataclass(frozen=True, slots=True)
class Description:
    """A package: who may sign for it, and its versions, newest first, each with what stands against it."""

    name: str
    registry: str
    signers: tuple[str, ...]
    versions: tuple[dict[str, object], ...]

    def to_json(self) -> dict[str, object]:
        """The document of ``info --json``."""
        return {
            "name": self.name,
            "registry": self.registry,
            "signers": list(self.signers),
            "versions": list(self.versions),
        }


def describe_package(resolver: Resolver, reference: PackageReference) -> Description:
    """The history of a name under the verified checkpoint (steps 1 to 3), versions in the range alone.

    PLY5303 when there is no such package or version.
    """
    name = reference.full_name
    session = resolver.session_for(name)
    history, _ = session.history(name)
    states = sorted(
        (one for one in history.package.versions.values() if _wanted(one, reference.range)),
        key=lambda one: Version.parse(one.record.version),
        reverse=True,
    )
    if not states:
        raise refusal(
            "PLY5303",
            f"the log of {session.binding.origin} has no version of {reference}",
            hint="check the name; polyphony search WORD finds packages",
            details={"name": name},
        )
    session.remember()
    age = resolver.minimum_age(session, name)
    signers = tuple(history.state.signers_for(name, resolver.now))
    versions = tuple(_version(one, history, passed_over(history, one, resolver.now, age)) for one in states)
    return Description(name, session.binding.origin, signers, versions)


def _wanted(state: VersionState, wanted: Range) -> bool:
    return str(wanted) == "*" or wanted.allows(Version.parse(state.record.version))


def _version(state: VersionState, history: History, against: str) -> dict[str, object]:
    record, hints = state.record, history.hints(state)
    return {
        "version": record.version,
        "kind": hints.get("kind"),
        "at": record.at,
        "tree": record.tree,
        "commit": record.commit,
        "signer": record.signer.id,
        "log_index": state.index,
        "permissions": record.permissions,
        "permissions_document": hints.get("permissions", {}),
        "dependencies": hints.get("dependencies", {}),
        "against": against,
    }
