"""Walking the dependencies: each wave of names is verified to step 6, then fetched and checked, then read for more.

Nothing is written here. Every node of a melody runs in a process of its own, so two versions of one package may
stand beside each other and there is nothing to solve: each range gets the version that is locked, else the highest
that may be chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from polyphony_runner.errors import ClientError
from polyphony_runner.install.content import Content, fetch_content
from polyphony_runner.install.resolve import Resolved, Resolver
from polyphony_runner.store import PackageStore
from polyphony_schemas.names import PackageReference, parse_package

PARALLEL = 8
MAX_PACKAGES = 500

# The locked version for a reference of a consumer (a lock key, None for what a person or a path asks for), or None.
Keep = Callable[[str | None, PackageReference], str | None]
Notice = Callable[[str], None]


@dataclass(slots=True)
class Plan:
    """What an installation would add: contents by lock key, who uses what, which roots were asked for."""

    contents: dict[str, Content] = field(default_factory=dict)
    edges: dict[str, dict[str, str]] = field(default_factory=dict)
    roots: dict[str, tuple[str, str]] = field(default_factory=dict)

    def entries(self) -> list[Content]:
        """Roots first, then the rest by name."""
        rooted = [f"{name}@{version}" for name, (_, version) in self.roots.items()]
        rest = sorted(set(self.contents) - set(rooted))
        return [self.contents[key] for key in (*rooted, *rest)]


def make_plan(
    references: Iterable[PackageReference],
    resolver: Resolver,
    store: PackageStore,
    *,
    keep: Keep,
    notice: Notice,
) -> Plan:
    """Resolve, verify and fetch ``references`` and everything they use. Raises the first refusal."""
    plan = Plan()
    chosen: dict[str, str] = {}
    waiting: list[tuple[str | None, PackageReference]] = [(None, reference) for reference in references]
    with ThreadPoolExecutor(PARALLEL) as pool:
        while waiting:
            wave = {str(reference): (consumer, reference) for consumer, reference in reversed(waiting)}
            fresh = [one for text, one in sorted(wave.items()) if text not in chosen]
            found = list(
                pool.map(lambda one: resolver.resolve(one[1], keep=keep(*one), root=one[0] is None), fresh)
            )
            for resolved in found:
                chosen[str(resolved.reference)] = resolved.key
                _tell(resolved, notice)
            new = {one.key: one for one in found if one.key not in plan.contents}
            if len(plan.contents) + len(new) > MAX_PACKAGES:
                raise ClientError(
                    "PLY6802",
                    f"more than {MAX_PACKAGES} packages are needed",
                    hint="a dependency uses too much; polyphony info NAME shows what",
                )
            contents = list(pool.map(lambda one: fetch_content(one, store), new.values()))
            plan.contents.update(zip(new, contents, strict=True))
            waiting = _record(plan, chosen, waiting, contents)
    for consumer, uses in plan.edges.items():
        plan.edges[consumer] = {text: chosen[text] for text in uses}
    return plan


def _record(
    plan: Plan,
    chosen: dict[str, str],
    waiting: list[tuple[str | None, PackageReference]],
    contents: list[Content],
) -> list[tuple[str | None, PackageReference]]:
    """Note the roots of this wave and the uses of what was fetched; gives the next wave."""
    for consumer, reference in waiting:
        if consumer is None:
            version = chosen[str(reference)].rpartition("@")[2]
            plan.roots[reference.full_name] = (str(reference.range), version)
    following: list[tuple[str | None, PackageReference]] = []
    for content in contents:
        uses = content.manifest.uses
        plan.edges[content.resolved.key] = dict.fromkeys(uses, "")
        following.extend((content.resolved.key, parse_package(text)) for text in uses)
    return following


def _tell(resolved: Resolved, notice: Notice) -> None:
    if resolved.passed_over:
        notice(
            f"{resolved.verified.name}: took {resolved.verified.version}, passed over {resolved.passed_over}"
        )
    for note in resolved.verified.notes:
        notice(f"{resolved.verified.name}: {note}")
