"""From a name and a range to one verified version: choose under the complete history, then steps 3 to 6."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from polyphony_runner.errors import ClientError
from polyphony_runner.http import Transport
from polyphony_runner.install.proof import StoredProof
from polyphony_runner.install.session import Session
from polyphony_runner.policies.model import Policy as MachinePolicy
from polyphony_runner.policies.reading import read_policy
from polyphony_runner.registries.table import Registries
from polyphony_runner.remote import Remote
from polyphony_schemas.errors import TrustError
from polyphony_schemas.names import PackageReference
from polyphony_schemas.semver import Candidate, Choice, Range, Version, choose
from polyphony_schemas.trust import verification
from polyphony_schemas.trust.history import version_key
from polyphony_schemas.trust.verification import Consent, Evidence, History, Locked, Seen, StepList, Verified


@dataclass(frozen=True, slots=True)
class Policy:
    """What the person of this call decided. ``minimum_age_s`` None: the binding's; ``accepted``: permission digests."""

    minimum_age_s: int | None = None
    accepted: frozenset[str] = frozenset()
    accept_signer: bool = False


@dataclass(frozen=True, slots=True)
class Resolved:
    """A version that passed steps 1 to 6, with the bytes that prove it.

    ``agreed``: its permissions are the ones in the lock, or a digest given on this call.
    """

    reference: PackageReference
    verified: Verified
    history: History
    evidence: Evidence
    session: Session
    steps: StepList
    passed_over: str = ""
    agreed: bool = False

    @property
    def key(self) -> str:
        """``owner/name@version``, the key of the lock."""
        return f"{self.verified.name}@{self.verified.version}"


@dataclass(slots=True)
class Resolver:
    """Resolves names for one call. ``known`` gives what a lock says of a name (for continuity and consent).

    ``seen`` are the checkpoints of the lock, by log origin. With a ``proof`` nobody is asked: it holds what was
    verified when the package was installed.
    """

    registries: Registries
    transport: Transport
    now: int
    policy: Policy
    known: Callable[[str], list[Locked]] = lambda _: []
    seen: Mapping[str, Seen] = field(default_factory=dict)
    proof: StoredProof | None = None
    _sessions: dict[str, Session] = field(default_factory=dict)
    _guard: threading.Lock = field(default_factory=threading.Lock)
    _machine: MachinePolicy | None = None

    @property
    def sessions(self) -> list[Session]:
        """The registries that were asked so far."""
        return list(self._sessions.values())

    def session_for(self, name: str) -> Session:
        """Step 1: the one registry that speaks for a name."""
        with self._guard:
            binding = self.registries.for_name(name)
            self._rules().check_registry(binding.origin)
            session = self._sessions.get(binding.origin)
            if session is None:
                point = self.seen.get(binding.log_origin)
                session = Session(
                    binding,
                    self.proof or Remote(binding, self.transport),
                    self.registries.memory(binding),
                    self.now,
                    seen=() if point is None else (point,),
                    offline=self.proof is not None,
                )
                self._sessions[binding.origin] = session
            return session

    def resolve(
        self,
        reference: PackageReference,
        *,
        keep: str | None = None,
        root: bool = False,
        steps: StepList | None = None,
    ) -> Resolved:
        """Choose the version (``keep``: the locked one) and verify it up to step 6. Content is not touched."""
        name = reference.full_name
        steps = StepList() if steps is None else steps
        with steps.step(1, f"{name} belongs to one registry"):
            session = self.session_for(name)
        how = (
            "signed, as of the installation (offline)"
            if session.offline
            else "continues what was seen before"
        )
        with steps.step(2, f"the log of {session.binding.origin}: {how}"):
            session.checkpoint()
            history, evidence = session.history(name)
        version, passed = (keep, "") if keep else self._choose(reference, session, history)
        consent = self._consent(history, version, root=root)
        _same_as_locked(consent.locked, history, version)
        verified = verification.verify_version(
            history,
            version,
            binding=session.rules_for(name),
            consent=consent,
            fetch_bundle=session.bundle,
            now=self.now,
            steps=steps,
        )
        before = "" if consent.locked is None else consent.locked.permissions
        agreed = verified.permissions in (before, consent.permissions)
        return Resolved(reference, verified, history, evidence, session, steps, passed, agreed)

    def minimum_age(self, session: Session, name: str) -> int:
        """How long a version must have been public, in seconds."""
        if self.policy.minimum_age_s is not None:
            return self.policy.minimum_age_s
        return session.rules_for(name).minimum_age_s

    def _choose(self, reference: PackageReference, session: Session, history: History) -> tuple[str, str]:
        name = reference.full_name
        versions = history.package.versions
        if not versions:
            raise verification.refusal(
                "PLY5303",
                f"{name} is not in the log of {session.binding.origin}",
                hint="check the name; polyphony search WORD finds packages",
                details={"name": name},
            )
        age = self.minimum_age(session, name)
        candidates = [
            Candidate(
                Version.parse(state.record.version), verification.passed_over(history, state, self.now, age)
            )
            for state in versions.values()
        ]
        choice = choose(reference.range, candidates)
        if choice.chosen is None:
            raise _nothing(reference, choice, candidates)
        return str(choice.chosen), choice.explain()

    def _consent(self, history: History, version: str, *, root: bool) -> Consent:
        """What was agreed to: the lock's entry of this version, else of the newest; the digests of this call."""
        entries = self.known(history.name)
        locked = next((entry for entry in entries if entry.version == version), None)
        if locked is None and entries:
            locked = max(entries, key=lambda entry: Version.parse(entry.version))
        state = history.package.versions.get(version_key(version))
        asked = state.record.permissions if state is not None else ""
        accepted: str | None = None
        if asked in self.policy.accepted:
            accepted = asked
        elif root and self.policy.accepted and (locked is None or locked.permissions != asked):
            accepted = min(self.policy.accepted)  # given, but for something else: step 6 says what is asked
        return Consent(
            locked=locked,
            permissions=accepted,
            accept_signer=self.policy.accept_signer,
            minimum_age_s=self.policy.minimum_age_s,
            allowed_signers=self._rules().signers,
        )

    def _rules(self) -> MachinePolicy:
        """What the machine and its user forbid."""
        if self._machine is None:
            self._machine = read_policy(self.registries.home)
        return self._machine


def _same_as_locked(locked: Locked | None, history: History, version: str) -> None:
    """A version is for ever: a lock that says other things of it than the log was changed (PLY5901)."""
    state = history.package.versions.get(version_key(version))
    if locked is None or state is None or locked.version != version:
        return
    found = verification.locked_differs(locked, state)
    if found:
        raise TrustError(
            "PLY5901",
            f"the lock and the log differ about {history.name} {version}: {', '.join(found)}",
            step=8,
            hint="somebody changed the lock; restore it (git checkout melody.lock)",
            details={"differences": found},
        )


def _nothing(reference: PackageReference, choice: Choice, candidates: list[Candidate]) -> Exception:
    """Why no version can be chosen: the reason of the newest in range, else that there is none in range."""
    why = choice.explain()
    text = f"no version of {reference} can be chosen"
    in_range = [one for one in candidates if reference.range.allows(one.version)]
    if not in_range:
        listed = ", ".join(
            str(one.version) for one in sorted(candidates, key=lambda c: c.version, reverse=True)
        )
        return ClientError(
            "PLY6801",
            f"{text}: the log has {listed}" + (f"; passed over: {why}" if why else ""),
            hint="ask for another range, such as " + f"{reference.full_name}@*",
            details={"passed_over": why},
        )
    newest = max(in_range, key=lambda one: one.version)
    code = {"quarantined": "PLY5306", "yanked": "PLY5305"}.get(newest.excluded, "PLY5603")
    return verification.refusal(code, f"{text}: {why}", details={"passed_over": why})


def exactly(name: str, version: str) -> PackageReference:
    """A reference to one version."""
    owner, _, package = name.partition("/")
    return PackageReference(owner, package, Range.parse(version.split("+", 1)[0]))
