"""Collects places and problems while a reader walks a document; both readers share its checks."""

from __future__ import annotations

from polyphony_schemas.problems import Problem
from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import limits
from polyphony_schemas.yaml12.document import Document, Place, join_pointer
from polyphony_schemas.yaml12.scalar import control_character


class StopReading(Exception):  # noqa: N818  # control flow: the rest of the document cannot be read
    """Raised after a problem that ends the reading."""


class Builder:
    """The places and problems of one document."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[str, Place] = {}
        self.problems: list[Problem] = []
        self.count = 0

    def problem(
        self, code: str, at: tuple[int, int], pointer: str, *, got: str, expected: str, hint: str
    ) -> None:
        """Note a problem at line and column (from 1)."""
        message = f"got {got}, expected {expected}"
        self.problems.append(Problem(code, "error", self.file, *at, pointer, message, hint, got, expected))

    def enter(self, pointer: str, place: Place, depth: int) -> None:
        """Note where a value starts; stops at too deep nesting and too many values."""
        self.places[pointer] = place
        self.count += 1
        if depth > limits.MAX_DEPTH:
            got, expected = f"nesting deeper than {limits.MAX_DEPTH}", "a flatter document"
        elif self.count > limits.MAX_NODES:
            got, expected = f"more than {limits.MAX_NODES} values", "a smaller document"
        else:
            return
        hint = "move a part into a file of its own, used by ./path"
        self.problem(
            limits.TOO_BIG, (place.line, place.column), pointer, got=got, expected=expected, hint=hint
        )
        raise StopReading

    def text(self, text: str, line: int, column: int, pointer: str) -> str:
        """``text``, after noting control characters in it."""
        found = control_character(text)
        if found:
            self.problem(
                limits.BAD_BYTES,
                (line, column),
                pointer,
                got=f"the character {found} in a string",
                expected="text without control characters",
                hint="leave the character out",
            )
        return text

    def add(self, target: dict[str, JsonValue], key: str, pointer: str, line: int, column: int) -> str:
        """The pointer of ``key`` in ``target``, after noting a duplicate."""
        child = join_pointer(pointer, key)
        if key in target:
            first = self.places[child]
            self.problem(
                limits.DUPLICATE_KEY,
                (line, column),
                child,
                got=f"the key {key[:80]!r} again",
                expected=f"each key once (first at line {first.key_line})",
                hint="remove or rename one of them",
            )
        return child

    def finish(self, value: JsonValue) -> Document:
        """The document, problems in the order of their places."""
        problems = sorted(self.problems, key=lambda problem: (problem.line, problem.column))
        return Document(value, self.places, self.file, tuple(problems))
