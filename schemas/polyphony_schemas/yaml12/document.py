"""What reading gives: the value, where everything stands, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from polyphony_schemas.problems import Problem, Severity
from polyphony_schemas.values import JsonValue


class Place(NamedTuple):
    """Where a value and its key start, from 1 (the key is the value itself in lists and at the root)."""

    line: int
    column: int
    key_line: int
    key_column: int


START = Place(1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Document:
    """A document that was read. ``places`` maps JSON Pointers to places; with ``problems`` the value is partial."""

    value: JsonValue
    places: Mapping[str, Place]
    file: str
    problems: tuple[Problem, ...] = field(default=())

    def place(self, pointer: str) -> Place:
        """The place of ``pointer``, or of the nearest value around it."""
        while pointer and pointer not in self.places:
            pointer = pointer.rpartition("/")[0]
        return self.places.get(pointer, START)

    def problem(
        self,
        code: str,
        pointer: str,
        message: str,
        *,
        hint: str = "",
        got: str = "",
        expected: str = "",
        severity: Severity = "error",
        at_key: bool = False,
    ) -> Problem:
        """A problem at ``pointer``: at the value, or at its key."""
        place = self.place(pointer)
        line, column = (place.key_line, place.key_column) if at_key else (place.line, place.column)
        return Problem(code, severity, self.file, line, column, pointer, message, hint, got, expected)


def join_pointer(pointer: str, key: str | int) -> str:
    """``pointer`` with one more reference token (RFC 6901).

    >>> join_pointer("/nodes", "a/b")
    '/nodes/a~1b'
    """
    token = str(key)
    if "~" in token or "/" in token:
        token = token.replace("~", "~0").replace("/", "~1")
    return f"{pointer}/{token}"
