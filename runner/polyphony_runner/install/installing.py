"""``install``: plan, then write memory, store and lock, or nothing at all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.errors import ClientError
from polyphony_runner.home import Home
from polyphony_runner.http import Transport
from polyphony_runner.install.content import Content
from polyphony_runner.install.lock_change import differences, locked_facts, merged, seen_in
from polyphony_runner.install.offers import Offer, offers_of, refuse_wider
from polyphony_runner.install.plan import PARALLEL, Plan, make_plan
from polyphony_runner.install.proof import encode_proof
from polyphony_runner.install.resolve import Policy, Resolved, Resolver
from polyphony_runner.kept_graphs import keep_melody
from polyphony_runner.locking import changing, locked_key, newest_locked, reachable, write_lock
from polyphony_runner.registries.table import Registries
from polyphony_runner.store import FolderStore, PackageStore
from polyphony_schemas.errors import TrustError
from polyphony_schemas.lock import Lock
from polyphony_schemas.names import PackageReference, parse_package
from polyphony_schemas.values import JsonValue, TreeId


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for. ``references`` with a range that was written are resolved anew; empty: what the lock names.

    ``update`` resolves everything anew. ``agree`` shows what the named packages may do with everything they use, before
    anything is written, and raises to stop.
    """

    lock_path: Path
    references: Sequence[PackageReference] = ()
    frozen: bool = False
    update: bool = False
    policy: Policy = field(default_factory=Policy)
    agree: Callable[[Sequence[Offer]], None] = lambda _: None
    notice: Callable[[str], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class Installed:
    """One package of an installation, as ``install --json`` lists it; ``effective``: what a named melody may do with everything."""

    name: str
    version: str
    tree: str
    signer: str
    log_index: int
    permissions: str
    effective: JsonValue = None

    def to_json(self) -> dict[str, object]:
        """The object of ``install --json``."""
        return {
            "name": self.name,
            "version": self.version,
            "tree": self.tree,
            "signer": self.signer,
            "log_index": self.log_index,
            "permissions": self.permissions,
        }


def install(
    registries: Registries, transport: Transport, request: Request, *, now: int | None = None
) -> list[Installed]:
    """Verify everything (steps 1 to 8) and lock it; roots first.

    Order of writing: the memory of the logs, the store, the lock; none of it before the last check has passed.
    Raises TrustError (the numbered steps, PLY5901 for a frozen lock), ClientError, TransportError.
    """
    home = registries.home
    store = FolderStore(home.store)
    with changing(home, request.lock_path) as lock:
        resolver = _resolver(registries, transport, request, lock, int(time.time()) if now is None else now)
        references = _wanted(request, lock)
        plan = make_plan(
            references,
            resolver,
            store,
            keep=_keep(lock, request),
            notice=request.notice,
        )
        offers = offers_of(plan, lock, store)
        refuse_wider(offers, request.policy.accepted)
        request.agree(offers)
        after = merged(lock, plan, resolver)
        if request.frozen and (found := differences(lock, after)):
            raise TrustError(
                "PLY5901",
                f"the lock is frozen and would change: {'; '.join(found[:5])}",
                step=8,
                hint="install without --frozen, look at the change, and commit the lock",
                details={"differences": found},
            )
        for session in resolver.sessions:
            session.remember()
        _store(store, plan)
        if not request.frozen and after != lock:
            write_lock(request.lock_path, after)
        _keep_graphs(store, after, plan)
    effective = {offer.resolved.key: offer.to_json() for offer in offers}
    return [_installed(content, effective.get(content.resolved.key)) for content in plan.entries()]


def uninstall(home: Home, path: Path, names: Sequence[str]) -> list[str]:
    """Take roots out of the lock, with what only they needed; gives the keys that went. PLY6602."""
    with changing(home, path) as lock:
        for name in names:
            if name not in lock.roots:
                raise not_a_root(path, lock, name)
        roots = {name: root for name, root in lock.roots.items() if name not in names}
        edges = {key: package.dependencies for key, package in lock.packages.items()}
        kept = reachable({name: root.version for name, root in roots.items()}, edges)
        packages = {key: package for key, package in lock.packages.items() if key in kept}
        logs = {package.registry for package in packages.values()}
        registries = {origin: entry for origin, entry in lock.registries.items() if origin in logs}
        write_lock(path, Lock(registries=registries, roots=roots, packages=packages))
    return sorted(set(lock.packages) - kept)


def not_a_root(path: Path, lock: Lock, name: str) -> ClientError:
    """The refusal of a name that the lock does not have as a root."""
    return ClientError(
        "PLY6602",
        f"{name} is not installed here",
        hint=f"{path} names: {', '.join(sorted(lock.roots)) or 'nothing'}",
    )


def _resolver(
    registries: Registries, transport: Transport, request: Request, lock: Lock, now: int
) -> Resolver:
    facts = locked_facts(lock)
    return Resolver(
        registries,
        transport,
        now,
        request.policy,
        known=lambda name: facts.get(name, []),
        seen=seen_in(lock, registries),
    )


def _wanted(request: Request, lock: Lock) -> list[PackageReference]:
    """What was named; a bare name that is locked keeps the range it was locked with."""
    if not request.references:
        return [parse_package(f"{name}@{root.range}") for name, root in sorted(lock.roots.items())]
    wanted = []
    for reference in request.references:
        root = lock.roots.get(reference.full_name)
        if request.update and root is None:
            raise not_a_root(request.lock_path, lock, reference.full_name)
        bare = str(reference.range) == "*"
        wanted.append(parse_package(f"{reference.full_name}@{root.range}") if bare and root else reference)
    return wanted


def _keep(lock: Lock, request: Request) -> Callable[[str | None, PackageReference], str | None]:
    """The locked version of a reference; none for a range that a person wrote anew, and none in an update."""
    anew = {str(one) for one in request.references if str(one.range) != "*"}

    def keep(consumer: str | None, reference: PackageReference) -> str | None:
        if request.update:
            return None
        root = lock.roots.get(reference.full_name)
        if (
            consumer is None
            and str(reference) in anew
            and (root is None or root.range != str(reference.range))
        ):
            return None
        key = locked_key(lock, str(reference), consumer) or newest_locked(lock, reference)
        return None if key is None else key.rpartition("@")[2]

    return keep


def _store(store: PackageStore, plan: Plan) -> None:
    """Step 8 for everything that is not in the store yet, and the proof of everything."""

    def put(content: Content) -> None:
        resolved = content.resolved
        tree = TreeId(resolved.verified.tree)
        with resolved.steps.step(8, f"written and hashed again: {tree}"):
            proof = encode_proof(
                resolved.verified.name,
                resolved.session.checkpoint().note,
                resolved.evidence,
                {digest: resolved.session.bundle(digest) for digest in _bundles(resolved)},
            )
            store.add(tree, content.entries, {"proof": proof})

    with ThreadPoolExecutor(PARALLEL) as pool:
        list(pool.map(put, plan.contents.values()))


def _keep_graphs(store: PackageStore, lock: Lock, plan: Plan) -> None:
    """Compile the melodies of the plan, so that running them is quick."""
    for key, content in plan.contents.items():
        if content.manifest.kind == "melody" and key in lock.packages:
            keep_melody(store, lock, key)


def _bundles(resolved: Resolved) -> list[str]:
    """The bundle of the version and those that authorised its signer."""
    chain = [link.auth for link in resolved.verified.signers if link.auth not in {"first", "recovery"}]
    return [resolved.verified.bundle, *chain]


def _installed(content: Content, effective: JsonValue) -> Installed:
    verified = content.resolved.verified
    return Installed(
        verified.name,
        verified.version,
        verified.tree,
        verified.signer,
        verified.index,
        verified.permissions,
        effective,
    )
