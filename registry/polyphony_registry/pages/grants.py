"""What a melody gets with everything it uses, for its page: from the documents in the catalogue, newest in range.

A package of another registry, and a folder inside a package, may ask for whatever is left open to it there: the page
shows what may be at most, a runner shows what its lock chose.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from sqlalchemy.orm import Session

from polyphony_registry.errors import UnknownError
from polyphony_registry.packages.services import VersionView, find_package
from polyphony_schemas.graph.from_files import link_files
from polyphony_schemas.names import PackageReference, parse_uses
from polyphony_schemas.permissions.whole import Whole, whole_of
from polyphony_schemas.semver import Range, Version

MOST_PACKAGES = 200
_MANIFESTS = {"melody": "melody.json", "extension": "extension.json"}


def whole_of_version(session: Session, version: VersionView) -> Whole | None:
    """What the nodes of a melody get; None for an extension."""
    if version.kind != "melody":
        return None
    reached = _reached(session, version)
    return _whole(
        _key(version), tuple(sorted((key, view.tree) for key, view in reached.items())), _Views(reached)
    )


class _Views:
    """An argument that the cache does not look at: keys and trees decide."""

    def __init__(self, views: Mapping[str, VersionView]) -> None:
        self.views = views

    def __hash__(self) -> int:
        return 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Views)


@lru_cache(maxsize=128)
def _whole(key: str, trees: tuple[tuple[str, str], ...], given: _Views) -> Whole | None:  # noqa: ARG001  # the key
    views = given.views

    def files(one: str) -> Mapping[str, bytes] | None:
        view = views.get(one)
        return None if view is None else {_MANIFESTS[view.kind]: json.dumps(view.document).encode()}

    def target(one: str, uses: str) -> str | None:
        del one  # every reference means the newest version in its range here
        reference = parse_uses(uses)
        if not isinstance(reference, PackageReference):
            return None
        fitting = [
            name
            for name, view in views.items()
            if view.name == reference.full_name and reference.range.allows(Version.parse(view.version))
        ]
        return max(fitting, key=lambda name: views[name].order, default=None)

    found = link_files(key, files, target)
    return None if found is None else whole_of(found.melody)


def _reached(session: Session, version: VersionView) -> dict[str, VersionView]:
    """The version and what it leads to in this registry, by ``owner/name@version``."""
    found, waiting = {_key(version): version}, [version]
    while waiting and len(found) < MOST_PACKAGES:
        for name, wanted in waiting.pop().dependencies.items():
            used = _newest(session, name, wanted)
            if used is not None and _key(used) not in found:
                found[_key(used)] = used
                waiting.append(used)
    return found


def _newest(session: Session, name: str, wanted: str) -> VersionView | None:
    owner, _, package = name.partition("/")
    try:
        versions = find_package(session, owner, package).versions
    except UnknownError:
        return None
    allowed = Range.parse(wanted or "*")
    return next((one for one in versions if allowed.allows(one.order)), None)


def _key(version: VersionView) -> str:
    return f"{version.name}@{version.version}"
