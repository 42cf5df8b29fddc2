"""From permission maps as documents to the plain values that the digest, the comparison and the graph work on."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from polyphony_schemas.documents.base import DocumentModel
from polyphony_schemas.permissions.keys import PERMISSION_KEYS, Declared, Grants
from polyphony_schemas.permissions.model import DeclaredPermissions, PermissionMap
from polyphony_schemas.values import JsonValue


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
