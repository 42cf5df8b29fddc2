"""Names for the plain values that travel between the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal, NewType, TypeAlias, get_args

# A JSON value. Read-only views: nobody changes a value it was handed.
JsonValue: TypeAlias = "bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
JsonObject: TypeAlias = Mapping[str, JsonValue]

# 64 lower-case hexadecimal digits.
Digest = NewType("Digest", str)
# The SHA-256 git tree id, 64 lower-case hexadecimal digits: the identity of a package version.
TreeId = NewType("TreeId", str)
# ``r_`` + lower-case ULID.
RunId = NewType("RunId", str)
# Ids joined by ``/``, iterations in brackets: ``fix[3]/lint``.
NodePath = NewType("NodePath", str)

# What the error of a node can be (docs/melody.md, When something fails).
ErrorKind = Literal[
    "configuration",
    "validation",
    "expression",
    "permission",
    "unavailable",
    "timeout",
    "memory",
    "cpu",
    "processes",
    "output",
    "disk",
    "network",
    "crash",
    "exit",
    "protocol",
    "model",
    "budget",
    "cancelled",
    "dependency",
    "internal",
]
ERROR_KINDS: Final[tuple[str, ...]] = get_args(ErrorKind)
