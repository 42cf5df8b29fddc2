"""``verify``: the numbered steps for a name, a folder, a lock or a file, and what each of them found.

Nothing is installed. Evidence comes from the registry, or offline from the proof kept in the store. The memory of
the logs moves when everything has passed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from polyphony_runner.errors import ClientError
from polyphony_runner.http import Transport
from polyphony_runner.install.content import Content, fetch_content, manifest_facts, texts
from polyphony_runner.install.lock_change import locked_facts, seen_in
from polyphony_runner.install.proof import decode_proof
from polyphony_runner.install.resolve import Policy, Resolved, Resolver, exactly
from polyphony_runner.locking import locked_key
from polyphony_runner.manifest import read_manifest
from polyphony_runner.registries.table import Registries
from polyphony_runner.store import PackageStore
from polyphony_schemas.errors import PolyphonyError, TrustError
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import PackageReference
from polyphony_schemas.trust.encoding import sha256_hex
from polyphony_schemas.trust.index import parse_index
from polyphony_schemas.trust.records import Publish
from polyphony_schemas.trust.tree import Entries, tree_id
from polyphony_schemas.trust.verification import STEPS, StepList, check_content
from polyphony_schemas.values import TreeId

NEVER_PUBLISHED = "PLY5101"


@dataclass(slots=True)
class Report:
    """What ``verify`` answers. A failed step is the last one."""

    tree: str | None = None
    steps: list[dict[str, object]] = field(default_factory=list)
    package: str | None = None

    @property
    def ok(self) -> bool:
        """Whether every step passed."""
        return all(step["ok"] for step in self.steps)

    def to_json(self) -> dict[str, object]:
        """The document of ``verify --json``."""
        return {"ok": self.ok, "tree": self.tree, "steps": self.steps, "package": self.package}


@dataclass(frozen=True, slots=True)
class Verifier:
    """Verifies for one call. ``lock`` is the nearest one that matters, or an empty one."""

    registries: Registries
    transport: Transport
    store: PackageStore
    lock: Lock
    now: int

    def name(self, reference: PackageReference, version: str | None = None) -> Report:
        """A package by name: the given version, the locked one in that range, else the one to choose now."""
        key = locked_key(self.lock, str(reference))
        keep = version or (key.rpartition("@")[2] if key else None)
        return self._run(reference, keep, lambda resolved: fetch_content(resolved, self.store))

    def entries(self, entries: Entries) -> Report:
        """Files on disk: who published exactly this tree, and does all of it hold?"""
        tree = tree_id(entries)
        found = self._publisher(tree, entries)
        if found is None:
            report = Report(tree)
            report.steps.append(
                {
                    "step": STEPS[0],
                    "ok": False,
                    "code": NEVER_PUBLISHED,
                    "detail": f"no lock, store or registry knows the tree {tree}",
                    "hint": "polyphony publish",
                }
            )
            return report
        name, version = found

        def content(resolved: Resolved) -> Content:
            with resolved.steps.step(7, f"the files are the signed tree {tree}"):
                check_content(entries, resolved.verified, manifest_facts)
            return Content(resolved, dict(entries), read_manifest(texts(entries)), stored=False)

        report = self._run(exactly(name, version), version, content)
        report.tree = tree
        return report

    def bundle(self, data: bytes) -> Report:
        """A signature bundle: the version that its statement is about, and that the log holds these very bytes."""
        from polyphony_schemas.trust.bundle import parse_bundle
        from polyphony_schemas.trust.statement import PublishStatement, parse_statement

        statement = parse_statement(parse_bundle(data).payload)
        if not isinstance(statement, PublishStatement):
            raise ClientError(
                "PLY6804", "the bundle holds a statement about a key", hint="give the bundle of a version"
            )
        predicate = statement.predicate

        def content(resolved: Resolved) -> Content:
            if resolved.verified.bundle != sha256_hex(data):
                raise TrustError("PLY5401", "the log holds another bundle for this version", step=4)
            return fetch_content(resolved, self.store)

        return self._run(exactly(predicate.name, predicate.version), predicate.version, content)

    def whole_lock(self) -> Report:
        """Every package of the lock, until one fails; each step says which package it is about."""
        report = Report()
        for key in sorted(self.lock.packages):
            name, _, version = key.rpartition("@")
            one = self._run(
                exactly(name, version),
                version,
                lambda resolved, key=key: self._as_locked(resolved, key),  # type: ignore[misc]  # bound early
            )
            report.steps += [{**step, "package": key} for step in one.steps]
            if not one.ok:
                break
        return report

    def _as_locked(self, resolved: Resolved, key: str) -> Content:
        """The content, and that the rest of the lock's entry says what log and manifest say (PLY5901)."""
        content = fetch_content(resolved, self.store)
        entry, verified = self.lock.packages[key], resolved.verified
        wrong = [
            fact
            for fact, same in (
                ("registry", entry.registry == verified.log_origin),
                ("at", entry.at == verified.at),
                ("dependencies", set(entry.dependencies) == set(content.manifest.uses)),
                ("dependencies", all(locked_key(self.lock, uses, key) for uses in entry.dependencies)),
            )
            if not same
        ]
        if wrong:
            raise TrustError(
                "PLY5901",
                f"the lock and the log differ about {key}: {', '.join(dict.fromkeys(wrong))}",
                step=8,
                hint="somebody changed the lock; restore it (git checkout melody.lock)",
            )
        return content

    def _run(
        self, reference: PackageReference, keep: str | None, content: Callable[[Resolved], Content]
    ) -> Report:
        steps = StepList()
        report = Report(steps=steps.items)
        try:
            resolver = self._resolver(reference, keep)
            resolved = resolver.resolve(reference, keep=keep, steps=steps)
            report.package, report.tree = resolved.key, resolved.verified.tree
            content(resolved)
            self._stored(resolved, steps)
        except TrustError as error:
            if not steps.items or steps.items[-1]["ok"]:
                steps.add(error.step, ok=False, code=error.code, detail=error.message)
            steps.items[-1]["hint"] = error.hint
            return report
        for session in resolver.sessions:
            session.remember()
        return report

    def _stored(self, resolved: Resolved, steps: StepList) -> None:
        tree = TreeId(resolved.verified.tree)
        if not self.store.has(tree):
            steps.add(8, ok=True, code=None, detail="not in the store: nothing to compare")
            return
        with steps.step(8, f"the store holds the signed tree {tree}"):
            self.store.verify(tree)

    def _resolver(self, reference: PackageReference, keep: str | None) -> Resolver:
        facts = locked_facts(self.lock)
        proof = None
        if self.transport.offline:
            proof = self._proof(f"{reference.full_name}@{keep}" if keep else "")
        return Resolver(
            self.registries,
            self.transport,
            self.now,
            Policy(),
            known=lambda name: facts.get(name, []),
            seen=seen_in(self.lock, self.registries),
            proof=decode_proof(proof) if proof else None,
        )

    def _proof(self, key: str) -> bytes | None:
        entry = self.lock.packages.get(key)
        return None if entry is None else self.store.read_beside(TreeId(entry.tree), "proof")

    def _publisher(self, tree: TreeId, entries: Entries) -> tuple[str, str] | None:
        """Name and version of the tree: by the lock, by the store's proof, else by the bound registries."""
        for key, entry in self.lock.packages.items():
            if entry.tree == tree:
                name, _, version = key.rpartition("@")
                return name, version
        proof = self.store.read_beside(tree, "proof") if self.store.has(tree) else None
        if proof is not None:
            kept = decode_proof(proof)
            known = _version_of(tree, kept.evidence.package_index)
            if known is not None:
                return kept.name, known
        return None if self.transport.offline else self._registered(tree, entries)

    def _registered(self, tree: TreeId, entries: Entries) -> tuple[str, str] | None:
        from polyphony_runner.remote import Remote

        try:
            manifest = read_manifest(texts(entries))
        except PolyphonyError:
            return None
        for binding in self.registries.all():
            for namespace in binding.namespaces:
                name = f"{namespace}/{manifest.name}"
                version = _version_of(tree, Remote(binding, self.transport).index(name))
                if version is not None:
                    return name, version
        return None


def _version_of(tree: TreeId, index: bytes) -> str | None:
    """The version that an index, not verified yet, gives to a tree."""
    try:
        records = [line.record for line in parse_index(index)]
    except PolyphonyError:
        return None
    return next((one.version for one in records if isinstance(one, Publish) and one.tree == tree), None)
