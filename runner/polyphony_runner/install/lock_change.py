"""What an installation does to a lock, as values: facts for the verification, the merged lock, the differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from polyphony_runner.errors import ClientError
from polyphony_runner.install.content import Content
from polyphony_runner.install.plan import Plan
from polyphony_runner.install.resolve import Resolver
from polyphony_runner.install.session import remembered
from polyphony_runner.locking import reachable
from polyphony_runner.registries.binding import DEFAULT_MINIMUM_AGE_MS
from polyphony_runner.registries.table import Registries
from polyphony_schemas.errors import FormatError
from polyphony_schemas.lock import Lock, LockedPackage, LockedRegistry, Root
from polyphony_schemas.trust.notes import open_note, parse_verifier_key
from polyphony_schemas.trust.verification import Locked, Seen


def locked_facts(lock: Lock) -> dict[str, list[Locked]]:
    """What the lock says, by package name, as the verification takes it."""
    facts: dict[str, list[Locked]] = {}
    for key, package in lock.packages.items():
        name, _, version = key.rpartition("@")
        facts.setdefault(name, []).append(
            Locked(
                version=version,
                index=package.index,
                commit=package.commit,
                tree=package.tree,
                bundle=package.bundle,
                signer=package.signer,
                permissions=package.permissions,
            )
        )
    return facts


def seen_in(lock: Lock, registries: Registries) -> Mapping[str, Seen]:
    """The checkpoints that the lock carries, by log origin: the repository is the memory of a machine without one.

    A checkpoint that the bound log key did not sign is refused (PLY6603): somebody changed the lock.
    """
    keys = {binding.log_origin: binding.log_key for binding in registries.all()}
    points: dict[str, Seen] = {}
    for origin, entry in lock.registries.items():
        if origin not in keys:
            continue
        note = entry.checkpoint.encode()
        try:
            open_note(note, [parse_verifier_key(keys[origin])])
            checkpoint = remembered(note)
            if checkpoint.origin != origin:
                raise FormatError("PLY5005", f"a checkpoint of {checkpoint.origin!r}")
        except FormatError as error:
            raise ClientError(
                "PLY6603",
                f"the checkpoint of {origin} in the lock is not signed by that log: {error.message}",
                hint="somebody changed the lock; restore it (git checkout melody.lock)",
                details={"origin": origin},
            ) from error
        points[origin] = Seen(checkpoint.size, checkpoint.root, "the lock")
    return points


def merged(lock: Lock, plan: Plan, resolver: Resolver) -> Lock:
    """The lock after the plan: new roots and packages in, what nothing needs any more out, checkpoints forward.

    A package that no root led to before was locked for a melody that is run by its path; it stays.
    """
    roots = {**lock.roots, **{name: Root(range=r, version=v) for name, (r, v) in plan.roots.items()}}
    packages = {**lock.packages}
    for key, content in plan.contents.items():
        packages[key] = _entry(content, plan.edges.get(key, {}), resolver, lock.packages.get(key))
    needed = _needed(roots, packages) | set(plan.contents)
    needed |= set(lock.packages) - _needed(lock.roots, lock.packages)
    registries = dict(lock.registries)
    for session in resolver.sessions:
        verified = session.checkpoint()
        registries[verified.checkpoint.origin] = LockedRegistry(
            checkpoint=verified.note.decode(), registry=session.binding.origin
        )
    return Lock(
        registries=registries,
        roots=roots,
        packages={key: package for key, package in packages.items() if key in needed},
    )


def _needed(roots: Mapping[str, Root], packages: Mapping[str, LockedPackage]) -> set[str]:
    edges = {key: package.dependencies for key, package in packages.items()}
    return reachable({name: root.version for name, root in roots.items()}, edges)


def differences(before: Lock, after: Lock) -> list[str]:
    """How two locks differ in roots and packages, in words; checkpoints may move."""
    found = [
        f"root {name}: {_shown(before.roots.get(name))} became {_shown(after.roots.get(name))}"
        for name in sorted({*before.roots, *after.roots})
        if before.roots.get(name) != after.roots.get(name)
    ]
    for key in sorted({*before.packages, *after.packages}):
        one, other = before.packages.get(key), after.packages.get(key)
        if one is None or other is None:
            found.append(f"{key} is {'new' if one is None else 'gone'}")
        else:
            old, new = asdict(one), asdict(other)
            found += [
                f"{key}: {fact} {old[fact]} became {new[fact]}" for fact in old if old[fact] != new[fact]
            ]
    return found


def _entry(
    content: Content, dependencies: Mapping[str, str], resolver: Resolver, before: LockedPackage | None
) -> LockedPackage:
    resolved = content.resolved
    verified = resolved.verified
    age = resolver.minimum_age(resolved.session, verified.name)
    lowered = age if age * 1000 < DEFAULT_MINIMUM_AGE_MS else None
    return LockedPackage(
        registry=verified.log_origin,
        index=verified.index,
        commit=verified.commit,
        tree=verified.tree,
        bundle=verified.bundle,
        signer=verified.signer,
        permissions=verified.permissions,
        at=verified.at,
        minimum_age=lowered if before is None else before.minimum_age,
        dependencies=dict(dependencies),
    )


def _shown(root: Root | None) -> str:
    return "nothing" if root is None else f"{root.range} ({root.version})"
