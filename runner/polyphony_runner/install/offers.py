"""What the named packages may do with everything they use, and whether that is more than was agreed to before.

The signed digest is that of a melody's ceiling: step 6 compares it. A ceiling does not say how something is written, so
a version that writes directly what the one before let people review would pass there; here it stops (PLY3720).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from polyphony_runner.errors import ClientError
from polyphony_runner.folders import read_folder
from polyphony_runner.install.content import texts
from polyphony_runner.install.plan import Plan
from polyphony_runner.install.resolve import Resolved
from polyphony_runner.store import PackageStore
from polyphony_schemas.lock import Lock
from polyphony_schemas.permissions.compare import difference, widens
from polyphony_schemas.permissions.digest import canonical_document, digest
from polyphony_schemas.permissions.keys import Declared, Grants
from polyphony_schemas.permissions.whole import Whole, consented, whole_of
from polyphony_schemas.values import JsonValue, TreeId


@dataclass(frozen=True, slots=True)
class Offer:
    """One root of an installation: ``asked`` is what to agree to, ``whole`` what its nodes get (None: an extension).

    ``before`` is what was agreed to with the locked version, None for a package that is new here, or that stays as it is.
    """

    resolved: Resolved
    asked: Declared
    whole: Whole | None = None
    before: Declared | None = None

    @property
    def digest(self) -> str:
        """The digest of what is asked: the signed one, unless something is written directly that it does not show."""
        return digest(self.asked)

    def to_json(self) -> JsonValue:
        """``effective`` in ``install --json``; null for an extension, which has no more than it declares."""
        return None if self.whole is None else self.whole.to_json()


def offers_of(plan: Plan, lock: Lock, store: PackageStore) -> list[Offer]:
    """The roots of a plan, against the lock as it was."""
    found = []
    for name, (_, version) in plan.roots.items():
        key = f"{name}@{version}"
        content = plan.contents[key]
        permissions = content.manifest.permissions
        if content.manifest.kind != "melody":
            found.append(Offer(content.resolved, permissions))
            continue
        whole = _of_plan(plan, key)
        asked = permissions if whole is None else consented(_grants(permissions), whole)
        found.append(Offer(content.resolved, asked, whole, _before(plan, lock, store, key)))
    return found


def refuse_wider(offers: Iterable[Offer], accepted: frozenset[str]) -> None:
    """PLY3720 for the first root that writes directly what nobody agreed to yet."""
    for offer in offers:
        if offer.before is None or offer.digest in accepted:
            continue
        found = widens(offer.before, offer.asked)
        if found:
            verified = offer.resolved.verified
            lines = difference(offer.before, offer.asked)
            raise ClientError(
                "PLY3720",
                f"{verified.name} {verified.version} does more than was agreed to:\n  " + "\n  ".join(lines),
                hint=f"look at it, then pass --accept-permissions {offer.digest}",
                details={
                    "digest": offer.digest,
                    "permissions": canonical_document(offer.asked),
                    "difference": list(lines),
                },
            )


def whole_in_lock(lock: Lock, store: PackageStore, key: str) -> Whole | None:
    """What a locked melody may do with everything it uses; None when a part of it is not in the store."""
    from polyphony_schemas.graph.from_files import link_files

    trees = {one: TreeId(package.tree) for one, package in lock.packages.items()}
    kept: dict[str, Mapping[str, bytes]] = {}

    def files(one: str) -> Mapping[str, bytes] | None:
        if one not in kept and one in trees and store.has(trees[one]):
            kept[one] = texts(read_folder(store.path(trees[one])))
        return kept.get(one)

    found = link_files(key, files, lambda one, uses: lock.packages[one].dependencies.get(uses))
    return None if found is None or found.unknown else whole_of(found.melody)


def _of_plan(plan: Plan, key: str) -> Whole | None:
    from polyphony_schemas.graph.from_files import link_files

    contents = plan.contents
    found = link_files(
        key,
        lambda one: texts(contents[one].entries) if one in contents else None,
        lambda one, uses: plan.edges.get(one, {}).get(uses),
    )
    return None if found is None else whole_of(found.melody)


def _before(plan: Plan, lock: Lock, store: PackageStore, key: str) -> Declared | None:
    """What was agreed to, as far as it is known here; of the ceiling step 6 has spoken."""
    name = key.rpartition("@")[0]
    root = lock.roots.get(name)
    old = None if root is None else f"{name}@{root.version}"
    if old is None or old not in lock.packages or _closure(plan, key) == _locked_closure(lock, old):
        return None
    ceiling = _grants(plan.contents[key].manifest.permissions)
    whole = whole_in_lock(lock, store, old)
    return (
        ceiling
        if whole is None
        else consented(ceiling, Whole(tuple(u for u in whole.uses if u.key == "write")))
    )


def _closure(plan: Plan, key: str) -> dict[str, str]:
    edges = plan.edges
    trees = {one: content.resolved.verified.tree for one, content in plan.contents.items()}
    return _reached(key, trees, {one: list(uses.values()) for one, uses in edges.items()})


def _locked_closure(lock: Lock, key: str) -> dict[str, str]:
    trees = {one: package.tree for one, package in lock.packages.items()}
    edges = {one: list(package.dependencies.values()) for one, package in lock.packages.items()}
    return _reached(key, trees, edges)


def _reached(key: str, trees: Mapping[str, str], edges: Mapping[str, list[str]]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [key]
    while waiting:
        one = waiting.pop()
        if one not in found and one in trees:
            found[one] = trees[one]
            waiting += edges.get(one, [])
    return found


def _grants(permissions: Declared) -> Grants:
    return {key: items for key, items in permissions.items() if items != "granted"}
