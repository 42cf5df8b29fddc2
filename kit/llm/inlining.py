"""A JSON Schema without references: servers and models read them badly, some refuse them."""

from __future__ import annotations

from typing import Any

DEPTH = 32


class Recursive(Exception):  # noqa: N818  # found out, no bug
    """The schema refers to itself."""


def inlined(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every ``#/…`` replaced by what it means; as it is where it refers to itself."""
    try:
        flat = replaced(schema, schema, 0)
    except (Recursive, KeyError, IndexError, TypeError):
        return schema
    if not isinstance(flat, dict):
        return schema
    return {key: value for key, value in flat.items() if key not in ("$defs", "definitions")}


def replaced(part: Any, root: dict[str, Any], depth: int) -> Any:
    """One part with its references replaced. Recursive when it goes too deep."""
    if depth > DEPTH:
        raise Recursive
    if isinstance(part, list):
        return [replaced(item, root, depth + 1) for item in part]
    if not isinstance(part, dict):
        return part
    reference = part.get("$ref")
    if isinstance(reference, str) and reference.startswith("#"):
        beside = {key: value for key, value in part.items() if key != "$ref"}
        target = replaced(lookup(reference, root), root, depth + 1)
        return {**target, **replaced(beside, root, depth + 1)} if isinstance(target, dict) else target
    kept = {key: value for key, value in part.items() if depth or key not in ("$defs", "definitions")}
    return {key: replaced(value, root, depth + 1) for key, value in kept.items()}


def lookup(reference: str, root: dict[str, Any]) -> Any:
    """What a reference within the schema means."""
    here: Any = root
    for part in reference.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        here = here[int(key)] if isinstance(here, list) else here[key]
    return here
