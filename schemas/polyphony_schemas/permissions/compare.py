"""What a newer version asks for beyond an older one: the part of an update that needs a new consent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from polyphony_schemas.permissions.items import covered, text_of
from polyphony_schemas.permissions.keys import PERMISSION_KEYS, Declared
from polyphony_schemas.trust import canonical
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
        items = tuple(item for item in after if not any(covers(key, item, grant) for grant in before))
        if items:
            found.append(Widening(key, items))
    return tuple(found)


def covers(key: str, item: JsonValue, grant: JsonValue) -> bool:
    """Whether who agreed to ``grant`` agreed to ``item``: as ``covered``, but a direct write is more than a reviewed one.

    >>> covered("write", {"path": "out", "mode": "direct"}, "out")
    True
    >>> covers("write", {"path": "out", "mode": "direct"}, "out")
    False
    """
    if not covered(key, item, grant):
        return False
    return key != "write" or _is_direct(grant) or not _is_direct(item)


def difference(old: Declared, new: Declared) -> list[str]:
    """Every line that comes (``+``) or goes (``-``), by key; for people.

    >>> difference({"read": ("src",), "network": ("a:1",)}, {"read": ("src",), "network": "granted"})
    ['- network: "a:1"', '+ network: whatever a node names']
    """
    lines = []
    for key in PERMISSION_KEYS:
        before, after = dict(_lines(old.get(key, ()))), dict(_lines(new.get(key, ())))
        lines += [f"- {key}: {text}" for order, text in sorted(before.items()) if order not in after]
        lines += [f"+ {key}: {text}" for order, text in sorted(after.items()) if order not in before]
    return lines


def _lines(items: tuple[JsonValue, ...] | str) -> Iterator[tuple[bytes, str]]:
    if isinstance(items, str):
        yield b"granted", "whatever a node names"
        return
    for item in items:
        yield canonical.encode(item), text_of(item)


def _is_direct(item: JsonValue) -> bool:
    return isinstance(item, dict) and item.get("mode") == "direct"
