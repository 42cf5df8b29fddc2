"""Permission maps as plain values: what the digest, the comparison and the graph work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from pydantic import BaseModel

from polyphony_schemas.documents.base import DocumentModel
from polyphony_schemas.permissions.model import (
    PERMISSION_KEYS,
    DeclaredPermissions,
    PermissionMap,
)
from polyphony_schemas.values import JsonValue

# By key: the items as written, or the word ``granted`` (extensions only). Absent keys are not there.
Grants: TypeAlias = Mapping[str, tuple[JsonValue, ...]]
Declared: TypeAlias = Mapping[str, "tuple[JsonValue, ...] | Literal['granted']"]


def declared_of(permissions: DeclaredPermissions) -> Declared:
    """What an extension declares, keys it does not name left out."""
    return _plain(permissions)


def ceiling_of(permissions: PermissionMap) -> Grants:
    """What a node names or a ceiling allows, keys it does not name left out."""
    plain = _plain(permissions)
    return {key: items for key, items in plain.items() if items != "granted"}


def _plain(permissions: BaseModel) -> dict[str, tuple[JsonValue, ...] | Literal["granted"]]:
    plain: dict[str, tuple[JsonValue, ...] | Literal["granted"]] = {}
    for key in PERMISSION_KEYS:
        items = getattr(permissions, key)
        if items is not None:
            plain[key] = "granted" if items == "granted" else tuple(_item(item) for item in items)
    return plain


def _item(item: str | DocumentModel) -> JsonValue:
    """An item as it is written: what it does not say is not added."""
    return item if isinstance(item, str) else item.model_dump(exclude_unset=True)
