"""Permissions of a verified version in plain words, for the question at install."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from polyphony_schemas.permissions.keys import Declared
from polyphony_schemas.permissions.words import describe
from polyphony_schemas.trust.verification import Verified


def words(verified: Verified) -> list[str]:
    """One line for each thing the version may do; the document was verified against the signed digest."""
    return describe(declared(verified.permissions_document))


def declared(document: Mapping[str, object]) -> Declared:
    """A canonical permissions document as the permission functions take it."""
    found = {
        key: "granted" if items == "granted" else tuple(cast("list[object]", items))
        for key, items in document.items()
    }
    return cast("Declared", found)
