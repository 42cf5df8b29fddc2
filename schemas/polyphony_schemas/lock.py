"""``melody.lock``: what was verified and chosen, so that every later run takes exactly that (docs/install.md).

One JSON document, keys sorted, indent 1, LF; unknown keys are an error. The key of a package is
``OWNER/NAME@VERSION``; ``dependencies`` maps what is written in ``uses`` to such a key.

    >>> lock = Lock(roots={"acme/flow": Root(range="^1", version="1.2.0")})
    >>> print(encode_lock(lock).decode(), end="")
    {
     "lock": "v1",
     "packages": {},
     "registries": {},
     "roots": {
      "acme/flow": {
       "range": "^1",
       "version": "1.2.0"
      }
     }
    }
    >>> decode_lock(encode_lock(lock)) == lock
    True

Plain values, so that a run reads its lock without the document models. A lock that is spelled byte by byte as
``encode_lock`` writes it is read here; any other goes to ``lock_document``, which finds every problem with its place.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from polyphony_schemas.errors import FormatError
from polyphony_schemas.names import check_name, parse_package
from polyphony_schemas.semver import Range, Version

UNREADABLE = "PLY1800"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class LockedRegistry:
    """The last verified checkpoint (a signed note) of a log, and the origin of its registry."""

    checkpoint: str
    registry: str


@dataclass(frozen=True, slots=True)
class Root:
    """What a person asked for, and what was chosen."""

    range: str
    version: str


@dataclass(frozen=True, slots=True)
class LockedPackage:
    """One verified version. ``registry`` is the log's origin, ``at`` the publish time in Unix seconds.

    ``minimum_age`` (seconds) stands only where a flag or binding lowered it.
    """

    registry: str
    index: int
    commit: str
    tree: str
    bundle: str
    signer: str
    permissions: str
    at: int
    minimum_age: int | None = None
    dependencies: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """The entry as it is written."""
        entry: dict[str, object] = {
            name: getattr(self, name) for name in self.__slots__ if name != "dependencies"
        }
        if self.minimum_age is None:
            del entry["minimum_age"]
        return {**entry, "dependencies": dict(self.dependencies)}


@dataclass(frozen=True, slots=True)
class Lock:
    """A whole ``melody.lock``: registries by the origin of their log, roots by full name, packages by key."""

    registries: Mapping[str, LockedRegistry] = field(default_factory=dict)
    roots: Mapping[str, Root] = field(default_factory=dict)
    packages: Mapping[str, LockedPackage] = field(default_factory=dict)


def encode_lock(lock: Lock) -> bytes:
    """The bytes of the file."""
    document = {
        "lock": "v1",
        "registries": {
            origin: {"checkpoint": one.checkpoint, "registry": one.registry}
            for origin, one in lock.registries.items()
        },
        "roots": {name: {"range": one.range, "version": one.version} for name, one in lock.roots.items()},
        "packages": {key: one.to_json() for key, one in lock.packages.items()},
    }
    return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def decode_lock(data: bytes, file: str = "melody.lock") -> Lock:
    """The lock of a file; raises FormatError (PLY1800) with the problems in ``details``."""
    try:
        lock = _read(json.loads(data))
        if encode_lock(lock) == data:
            return lock
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, FormatError):
        pass  # what is wrong with it, or only unusual about it, is for the whole reader to say
    return _read_whole(data, file)


def _read_whole(data: bytes, file: str) -> Lock:
    from polyphony_schemas.lock_document import read_lock

    lock, problems = read_lock(data, file)
    if lock is None:
        first = problems[0]
        raise FormatError(
            UNREADABLE,
            f"{file}:{first.line}:{first.column}: {first.message}",
            hint=first.hint or "restore the lock, or write it again with polyphony lock",
            details={"problems": [problem.to_json() for problem in problems]},
        )
    return lock


def _read(document: Any) -> Lock:
    """The lock of a JSON value; any error when it is none. That nothing else stands in it is for the caller to see."""
    lock = Lock(
        {origin: LockedRegistry(**one) for origin, one in document["registries"].items()},
        {name: Root(**one) for name, one in document["roots"].items()},
        {key: LockedPackage(**one) for key, one in document["packages"].items()},
    )
    for origin, registry in lock.registries.items():
        _texts(origin, registry.checkpoint, registry.registry)
    for name, root in lock.roots.items():
        _full_name(name)
        Range.parse(root.range)
        Version.parse(root.version)
    for key, package in lock.packages.items():
        _check_package(key, package, lock)
    return lock


def _check_package(key: str, package: LockedPackage, lock: Lock) -> None:
    path, _, version = key.partition("@")
    _full_name(path)
    Version.parse(version)
    _texts(package.registry, package.signer)
    for number in (package.index, package.at, 0 if package.minimum_age is None else package.minimum_age):
        if type(number) is not int or number < 0:
            raise ValueError(number)
    digests = (package.tree, package.bundle, package.permissions)
    if not (_COMMIT.fullmatch(package.commit) and all(_DIGEST.fullmatch(one) for one in digests)):
        raise ValueError(key)
    for uses, target in package.dependencies.items():
        parse_package(uses)
        if target not in lock.packages:
            raise ValueError(target)


def _full_name(text: str) -> None:
    owner, _, name = text.partition("/")
    check_name(owner)
    check_name(name)


def _texts(*values: object) -> None:
    if not all(isinstance(value, str) for value in values):
        raise ValueError(values)
