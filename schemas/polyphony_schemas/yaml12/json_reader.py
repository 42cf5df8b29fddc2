"""JSON (RFC 8259) with places: a small recursive reader over the same checks as YAML."""

from __future__ import annotations

import bisect
import json
import re

from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import limits
from polyphony_schemas.yaml12.builder import Builder, StopReading
from polyphony_schemas.yaml12.document import Place
from polyphony_schemas.yaml12.scalar import NumberError, to_float, to_int

_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_WORD = re.compile(r"true|false|null")


def read_json_text(text: str, builder: Builder) -> JsonValue:
    """The value of ``text``; problems go to ``builder``; raises StopReading."""
    return _Reader(text, builder).document()


class _Reader:
    def __init__(self, text: str, builder: Builder) -> None:
        self.text = text
        self.builder = builder
        self.position = 0
        self.lines = [0, *(match.end() for match in re.finditer("\n", text))]

    def document(self) -> JsonValue:
        value = self.value("", None, 0)
        self.space()
        if self.position < len(self.text):
            self.syntax("more text after the end", "one document")
        return value

    def place(self, offset: int) -> tuple[int, int]:
        line = bisect.bisect_right(self.lines, offset)
        return line, offset - self.lines[line - 1] + 1

    def syntax(self, got: str, expected: str) -> None:
        line, column = self.place(self.position)
        self.builder.problem(
            limits.SYNTAX,
            (line, column),
            "",
            got=got,
            expected=expected,
            hint="check commas, quotes and brackets here",
        )
        raise StopReading

    def space(self) -> None:
        match = _SPACE.match(self.text, self.position)
        self.position = match.end() if match else self.position

    def take(self, mark: str) -> bool:
        self.space()
        if self.text.startswith(mark, self.position):
            self.position += len(mark)
            return True
        return False

    def need(self, mark: str) -> None:
        if not self.take(mark):
            self.syntax("text that is not JSON", repr(mark))

    def value(self, pointer: str, key: tuple[int, int] | None, depth: int) -> JsonValue:
        self.space()
        line, column = self.place(self.position)
        key_line, key_column = key or (line, column)
        here = Place(line, column, key_line, key_column)
        start = self.text[self.position : self.position + 1]
        if start and start in "{[":
            self.builder.enter(pointer, here, depth + 1)
            self.position += 1
            return self.object(pointer, depth + 1) if start == "{" else self.array(pointer, depth + 1)
        self.builder.enter(pointer, here, depth)
        return self.string(pointer) if start == '"' else self.other(pointer)

    def string(self, pointer: str) -> str:
        line, column = self.place(self.position)
        match = _STRING.match(self.text, self.position)
        text = ""
        if match is None:
            self.syntax("a string that is not JSON", "a string in double quotes, control characters escaped")
        else:
            try:
                text = json.loads(match[0])
            except ValueError:
                self.syntax("a string with an unknown escape", "the escapes of JSON")
            self.position = match.end()
        return self.builder.text(text, line, column, pointer)

    def other(self, pointer: str) -> JsonValue:
        line, column = self.place(self.position)
        word = _WORD.match(self.text, self.position)
        if word:
            self.position = word.end()
            return _WORDS[word[0]]
        number = _NUMBER.match(self.text, self.position)
        if number is None:
            self.syntax("text that is not JSON", "a JSON value")
            return None
        self.position = number.end()
        try:
            return to_float(number[0]) if number[1] or number[2] else to_int(number[0], 10)
        except NumberError as error:
            self.builder.problem(
                limits.NUMBER,
                (line, column),
                pointer,
                got=str(error),
                expected="a JSON number",
                hint="quote it to make it a text",
            )
            return None

    def array(self, pointer: str, depth: int) -> list[JsonValue]:
        items: list[JsonValue] = []
        if self.take("]"):
            return items
        while True:
            items.append(self.value(f"{pointer}/{len(items)}", None, depth))
            if not self.take(","):
                self.need("]")
                return items

    def object(self, pointer: str, depth: int) -> dict[str, JsonValue]:
        entries: dict[str, JsonValue] = {}
        if self.take("}"):
            return entries
        while True:
            self.space()
            line, column = self.place(self.position)
            key = self.string(pointer)
            child = self.builder.add(entries, key, pointer, line, column)
            self.need(":")
            value = self.value(child, (line, column), depth)
            entries.setdefault(key, value)
            if not self.take(","):
                self.need("}")
                return entries
