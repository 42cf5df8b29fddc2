"""The words of permissions as plain values, for code that must not import the document models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from polyphony_schemas.values import JsonValue

PACKAGE_INDEX = "package-index"
PermissionKey = Literal["read", "write", "run", "env", "network", "secrets", "models"]
PERMISSION_KEYS: tuple[PermissionKey, ...] = ("read", "write", "run", "env", "network", "secrets", "models")

# By key: the items as written, or the word ``granted`` (extensions only). Absent keys are not there.
Grants: TypeAlias = Mapping[str, tuple[JsonValue, ...]]
Declared: TypeAlias = Mapping[str, "tuple[JsonValue, ...] | Literal['granted']"]
