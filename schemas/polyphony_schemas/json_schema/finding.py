"""One thing that is wrong: with a schema, or with a value under a schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from polyphony_schemas.json_schema import limits


@dataclass(frozen=True, slots=True)
class SchemaFinding:
    """``pointer`` (RFC 6901) is the place in the schema or in the value."""

    pointer: str
    message: str
    got: str = ""
    expected: str = ""
    code: str = limits.INVALID
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.pointer or 'the value'}: {self.message}"


def pointer_of(path: Iterable[str | int]) -> str:
    """A JSON Pointer.

    >>> pointer_of(["a/b", 0])
    '/a~1b/0'
    """
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def shown(value: object) -> str:
    """A value in a message: its JSON type, and the value itself when it is short."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return f"the number {value}"
        case str():
            text = value if len(value) <= 60 else value[:60] + "…"
            return f"the string {text!r}"
        case dict():
            return f"an object with {len(value)} properties" if value else "an empty object"
        case list() | tuple():
            return f"an array with {len(value)} items" if value else "an empty array"
    return type(value).__name__
