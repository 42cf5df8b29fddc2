"""What a newer version asks for beyond an older one: the part of an update that needs a new consent."""

from __future__ import annotations

from dataclasses import dataclass

from polyphony_schemas.permissions.items import covered
from polyphony_schemas.permissions.keys import PERMISSION_KEYS, Declared
from polyphony_schemas.values import JsonValue


@dataclass(frozen=True, slots=True)
class Widening:
    """One key with what is new there; ``("granted",)`` when it now takes whatever a node names."""

    key: str
    items: tuple[JsonValue, ...]


def widens(old: Declared, new: Declared) -> tuple[Widening, ...]:
    """What ``new`` allows and ``old`` did not; empty when a consent to ``old`` covers ``new``.

    >>> widens({"read": ("src",)}, {"read": ("src/lib", "docs")})
    (Widening(key='read', items=('docs',)),)
    """
    found = []
    for key in PERMISSION_KEYS:
        before, after = old.get(key, ()), new.get(key, ())
        if before == "granted" or not after:
            continue
        if after == "granted":
            found.append(Widening(key, ("granted",)))
            continue
        items = tuple(item for item in after if not any(_allows(key, item, grant) for grant in before))
        if items:
            found.append(Widening(key, items))
    return tuple(found)


def _allows(key: str, item: JsonValue, grant: JsonValue) -> bool:
    """As ``covered``, and no more than before in view and mode either: an update may not turn a copy into direct."""
    if not covered(key, item, grant):
        return False
    return key != "write" or _is_direct(grant) or not _is_direct(item)


def _is_direct(item: JsonValue) -> bool:
    return isinstance(item, dict) and item.get("mode") == "direct"
