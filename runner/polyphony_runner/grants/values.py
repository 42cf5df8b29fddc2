"""The evaluated values of a node's grants, read strictly: what each may look like is in docs/extension.md.

>>> path_grant({"path": "src", "view": "copy"}, "read")
PathGrant(path='src', key='read', private_copy=True, direct=False)
>>> path_grant("out", "write")
PathGrant(path='out', key='write', private_copy=False, direct=False)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from polyphony_runner.runtimes.failures import NodeError
from polyphony_schemas.values import JsonValue

Grants = Mapping[str, Sequence[JsonValue]]


@dataclass(frozen=True, slots=True)
class PathGrant:
    """One path as granted, not resolved. ``private_copy`` is ``view: copy``, ``direct`` is ``mode: direct``."""

    path: str
    key: Literal["read", "write"]
    private_copy: bool = False
    direct: bool = False


def path_grant(value: JsonValue, key: Literal["read", "write"]) -> PathGrant:
    """One item of ``read`` or ``write``. NodeError PLY3401 for any other shape."""
    if isinstance(value, str):
        return PathGrant(_path(value, key), key)
    option, choices = ("view", ("direct", "copy")) if key == "read" else ("mode", ("copy", "direct"))
    if not isinstance(value, Mapping) or not set(value) <= {"path", option}:
        raise _malformed(key, value)
    chosen = value.get(option, choices[0])
    path = value.get("path")
    if chosen not in choices or not isinstance(path, str):
        raise _malformed(key, value)
    private_copy = key == "read" and chosen == "copy"
    return PathGrant(_path(path, key), key, private_copy, direct=key == "write" and chosen == "direct")


def path_grants(grants: Grants) -> list[PathGrant]:
    """All path grants, reads first, in the order they stand."""
    reads = [path_grant(value, "read") for value in grants.get("read", ())]
    return reads + [path_grant(value, "write") for value in grants.get("write", ())]


def words(grants: Grants, key: str) -> tuple[str, ...]:
    """The values of a key whose items are plain strings (``run env secrets models``)."""
    found = []
    for value in grants.get(key, ()):
        if not isinstance(value, str) or not value:
            raise _malformed(key, value)
        found.append(value)
    return tuple(found)


def _path(text: str, key: str) -> str:
    if not text or "\0" in text:
        raise _malformed(key, text)
    return text


def _malformed(key: str, value: JsonValue) -> NodeError:
    return NodeError(
        "permission",
        "PLY3401",
        f"the grant {value!r} under {key!r} cannot be read",
        hint="a path, {path, view: copy} under read, or {path, mode: copy|direct} under write"
        if key in ("read", "write")
        else f"a list of words under {key}",
    )
