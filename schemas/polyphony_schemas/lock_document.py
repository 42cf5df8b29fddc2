"""The reader of ``melody.lock`` that says everything that is wrong with one, and the source of its JSON Schema.

``lock.decode_lock`` turns to it for every lock that is not spelled exactly as we write it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from polyphony_schemas import lock as plain
from polyphony_schemas.documents.base import DocumentModel, refuse
from polyphony_schemas.documents.fields import FullName, NaturalInt, VersionText, check_full_name, checked
from polyphony_schemas.documents.reading import read_model
from polyphony_schemas.names import parse_package
from polyphony_schemas.problems import Problem
from polyphony_schemas.semver import Range, Version
from polyphony_schemas.yaml12 import read_json


def _package_key(text: str) -> str:
    path, _, version = text.partition("@")
    check_full_name(path)
    Version.parse(version)
    return text


def _hex(*lengths: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if len(text) not in lengths or not re.fullmatch(r"[0-9a-f]+", text):
            raise refuse(4, f"{text[:80]!r} is no digest", expected=f"{lengths[-1]} hexadecimal digits")
        return text

    return check


HexDigest = Annotated[str, AfterValidator(_hex(64))]
CommitId = Annotated[str, AfterValidator(_hex(40, 64))]
PackageKey = Annotated[str, checked(_package_key)]
RangeText = Annotated[str, checked(Range.parse)]


class LockModel(DocumentModel):
    """A map of the lock; nothing may be added to it, ``x-`` keys neither."""

    model_config = ConfigDict(json_schema_extra={})

    @model_validator(mode="before")
    @classmethod
    def _set_extension_keys_aside(cls, value: Any) -> Any:
        return value


class LockedRegistry(LockModel):
    """The last verified checkpoint (a signed note) of a log, and the origin of its registry."""

    checkpoint: str
    registry: str


class Root(LockModel):
    """What a person asked for, and what was chosen."""

    range: RangeText
    version: VersionText


class LockedPackage(LockModel):
    """One verified version. ``registry`` is the log's origin, ``at`` the publish time in Unix seconds.

    ``minimum_age`` (seconds) stands only where a flag or binding lowered it.
    """

    registry: str
    index: NaturalInt
    commit: CommitId
    tree: HexDigest
    bundle: HexDigest
    signer: str
    permissions: HexDigest
    at: NaturalInt
    minimum_age: NaturalInt | None = None
    dependencies: dict[Annotated[str, checked(parse_package)], PackageKey] = Field(default_factory=dict)


class Lock(LockModel):
    """A whole ``melody.lock``."""

    lock: Literal["v1"]
    registries: dict[str, LockedRegistry] = Field(default_factory=dict)
    roots: dict[FullName, Root] = Field(default_factory=dict)
    packages: dict[PackageKey, LockedPackage] = Field(default_factory=dict)


def read_lock(data: bytes, file: str = "melody.lock") -> tuple[plain.Lock | None, list[Problem]]:
    """The lock and what is wrong with it, every problem at once."""
    document = read_json(data, file)
    if document.problems:
        return None, list(document.problems)
    lock, problems = read_model(document, Lock, "PLY18")
    if lock is not None:
        problems += [
            document.problem(
                "PLY1810",
                f"/packages/{key.replace('/', '~1')}/dependencies",
                f"got {target!r}, which the lock does not hold",
                hint="polyphony lock writes it again",
            )
            for key, package in lock.packages.items()
            for target in package.dependencies.values()
            if target not in lock.packages
        ]
    return (None if problems or lock is None else _plain(lock)), problems


def _plain(lock: Lock) -> plain.Lock:
    return plain.Lock(
        registries={
            origin: plain.LockedRegistry(one.checkpoint, one.registry)
            for origin, one in lock.registries.items()
        },
        roots={name: plain.Root(one.range, one.version) for name, one in lock.roots.items()},
        packages={
            key: plain.LockedPackage(**{name: getattr(one, name) for name in LockedPackage.model_fields})
            for key, one in lock.packages.items()
        },
    )
