"""A verified permissions document as the permission functions take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from polyphony_schemas.permissions.keys import Declared


def declared(document: Mapping[str, object]) -> Declared:
    """The items by key."""
    found = {
        key: "granted" if items == "granted" else tuple(cast("list[object]", items))
        for key, items in document.items()
    }
    return cast("Declared", found)
