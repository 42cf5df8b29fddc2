"""``melody.lock``: what was verified and chosen, so that every later run takes exactly that (docs/install.md).

One JSON document, keys sorted, indent 1, LF; unknown keys are an error. The key of a package is
``OWNER/NAME@VERSION``; ``dependencies`` maps what is written in ``uses`` to such a key.

    >>> lock = Lock(lock="v1", roots={"acme/flow": Root(range="^1", version="1.2.0")})
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
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from polyphony_schemas.documents.base import DocumentModel, refuse
from polyphony_schemas.documents.fields import FullName, NaturalInt, VersionText, check_full_name, checked
from polyphony_schemas.documents.reading import read_model
from polyphony_schemas.errors import FormatError
from polyphony_schemas.names import parse_package
from polyphony_schemas.problems import Problem
from polyphony_schemas.semver import Range, Version
from polyphony_schemas.yaml12 import read_json

UNREADABLE = "PLY1800"


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


def encode_lock(lock: Lock) -> bytes:
    """The bytes of the file."""
    document = lock.model_dump(mode="json")
    for package in document["packages"].values():
        if package["minimum_age"] is None:
            del package["minimum_age"]
    return (json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def read_lock(data: bytes, file: str = "melody.lock") -> tuple[Lock | None, list[Problem]]:
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
    return (None if problems else lock), problems


def decode_lock(data: bytes, file: str = "melody.lock") -> Lock:
    """The lock of a file; raises FormatError (PLY1800) with the problems in ``details``."""
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
