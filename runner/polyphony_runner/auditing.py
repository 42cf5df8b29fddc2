"""``outdated`` and ``audit``: what the verified histories say today about what the lock names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from polyphony_runner.install.lock_change import locked_facts
from polyphony_runner.install.resolve import Resolver
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import PackageReference, parse_package
from polyphony_schemas.semver import Candidate, Version, choose
from polyphony_schemas.trust.history import VersionState, version_key
from polyphony_schemas.trust.verification import locked_differs, passed_over


@dataclass(frozen=True, slots=True)
class Finding:
    """Something to know about a locked package."""

    package: str
    kind: str
    detail: str

    def to_json(self) -> dict[str, object]:
        """The object of ``audit --json``."""
        return {"package": self.package, "kind": self.kind, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Newer:
    """A root with the version it has, the one its range would take, and the newest there is."""

    name: str
    range: str
    locked: str
    wanted: str
    newest: str

    def to_json(self) -> dict[str, object]:
        """The object of ``outdated --json``."""
        return {
            "name": self.name,
            "range": self.range,
            "locked": self.locked,
            "wanted": self.wanted,
            "newest": self.newest,
        }


def outdated(lock: Lock, resolver: Resolver) -> list[Newer]:
    """The roots for which something newer than the locked version may be chosen."""
    found = []
    for name, root in sorted(lock.roots.items()):
        reference = parse_package(f"{name}@{root.range}")
        wanted = _best(resolver, reference) or root.version
        newest = _best(resolver, parse_package(f"{name}@*")) or root.version
        if Version.parse(newest) > Version.parse(root.version):
            found.append(Newer(name, root.range, root.version, wanted, newest))
    return found


def audit(lock: Lock, resolver: Resolver) -> list[Finding]:
    """Everything that speaks against a locked package: not in the log, changed, quarantined, yanked, signer revoked.

    A registry that does not pass steps 1 to 3 is a refusal, not a finding: nothing can be said then.
    """
    facts = {f"{name}@{one.version}": one for name, known in locked_facts(lock).items() for one in known}
    found: list[Finding] = []
    for key, locked in sorted(facts.items()):
        name = key.rpartition("@")[0]
        history, _ = resolver.session_for(name).history(name)
        state = history.package.versions.get(version_key(locked.version))
        if state is None:
            found.append(Finding(key, "missing", "the log has no such version"))
            continue
        if differs := locked_differs(locked, state):
            found.append(Finding(key, "changed", f"lock and log differ about {', '.join(differs)}"))
        found += [Finding(key, kind, why) for kind, why in _against(state, history.package.quarantined)]
        for signer in (
            history.package.signers.get(locked.signer),
            history.namespace.signers.get(locked.signer),
        ):
            if signer is not None and signer.revoked is not None:
                found.append(Finding(key, "signer", f"its signer was revoked: {signer.reason}"))
    for session in resolver.sessions:
        session.remember()
    return found


def _against(state: VersionState, all_quarantined: str) -> Iterator[tuple[str, str]]:
    if reason := state.quarantined or all_quarantined:
        yield "quarantined", reason
    if state.yanked:
        yield "yanked", state.yanked


def _best(resolver: Resolver, reference: PackageReference) -> str | None:
    name = reference.full_name
    session = resolver.session_for(name)
    history, _ = session.history(name)
    age = resolver.minimum_age(session, name)
    candidates = [
        Candidate(Version.parse(state.record.version), passed_over(history, state, resolver.now, age))
        for state in history.package.versions.values()
    ]
    chosen = choose(reference.range, candidates).chosen
    return None if chosen is None else str(chosen)
