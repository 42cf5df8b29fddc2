"""YAML: libyaml's events, our meaning. The only module that imports PyYAML, and what it needs of it typed."""

from __future__ import annotations

from typing import NamedTuple, Protocol, cast

import yaml
from yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
)

from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import limits
from polyphony_schemas.yaml12.builder import Builder, StopReading
from polyphony_schemas.yaml12.document import Place, join_pointer
from polyphony_schemas.yaml12.scalar import NumberError, resolve_plain

if not getattr(yaml, "__with_libyaml__", False):
    raise ImportError(
        "PyYAML was built without libyaml; install a wheel of PyYAML, or libyaml and its headers"
    )


class Mark(Protocol):
    """A position, from 0."""

    line: int
    column: int


class Event(Protocol):
    """What the events have in common; the rest by kind."""

    start_mark: Mark
    anchor: str | None
    tag: str | None
    value: str
    implicit: tuple[bool, bool]
    style: str | None
    version: tuple[int, int] | None
    tags: dict[str, str] | None


class Parser(Protocol):
    """libyaml's parser."""

    def get_event(self) -> Event | None:
        """The next event; raises yaml.YAMLError."""


class Key(NamedTuple):
    """A key of a mapping and where it stands, from 1; ``text`` is None when it is no string."""

    text: str | None
    line: int
    column: int


def read_events(text: str, builder: Builder) -> JsonValue:
    """The value of the one document in ``text``; problems go to ``builder``; raises StopReading."""
    return _Composer(cast("Parser", yaml.CBaseLoader(text)), builder).document()


class _Composer:
    """Walks the events and builds values; recursion is bounded by the nesting limit."""

    def __init__(self, parser: Parser, builder: Builder) -> None:
        self.parser = parser
        self.builder = builder

    def next(self) -> Event:
        try:
            event = self.parser.get_event()
        except yaml.YAMLError as error:
            self.syntax(error)
            raise StopReading from None
        if event is None:
            raise StopReading
        return event

    def syntax(self, error: yaml.YAMLError) -> None:
        mark: Mark | None = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or str(error).split("\n", maxsplit=1)[0]
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        self.builder.problem(
            limits.SYNTAX,
            (line, column),
            "",
            got=f"text that is not YAML ({what})",
            expected="YAML 1.2",
            hint="check the indentation, quotes and brackets here; quote texts with ': ' or ' #'",
        )

    def document(self) -> JsonValue:
        self.next()  # the start of the stream
        start = self.next()
        if isinstance(start, StreamEndEvent):
            self.builder.problem(
                limits.EMPTY,
                (1, 1),
                "",
                got="an empty document",
                expected="a mapping",
                hint="write the document",
            )
            return None
        self.directives(start)
        value = self.value(self.next(), "", None, 0)
        self.next()  # the end of the document
        more = self.next()
        if not isinstance(more, StreamEndEvent):
            self.refuse(
                limits.MANY_DOCUMENTS,
                more,
                "",
                got="a second document",
                expected="one",
                hint="remove '---' and what follows",
            )
        return value

    def directives(self, start: Event) -> None:
        if start.tags:
            self.refuse(
                limits.TAG, start, "", got="a %TAG directive", expected="no tags", hint="remove the directive"
            )
        if start.version not in (None, (1, 2)):
            self.refuse(
                limits.SYNTAX,
                start,
                "",
                got="an old %YAML version",
                expected="YAML 1.2",
                hint="remove the directive",
            )

    def value(self, event: Event, pointer: str, key: Key | None, depth: int) -> JsonValue:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        place = Place(line, column, key.line, key.column) if key else Place(line, column, line, column)
        if isinstance(event, AliasEvent):
            self.builder.enter(pointer, place, depth)
            self.refuse(
                limits.ANCHOR,
                event,
                pointer,
                got=f"the alias '*{event.anchor}'",
                expected="no aliases",
                hint=_REPEAT,
            )
            return None
        self.properties(event, pointer)
        if isinstance(event, ScalarEvent):
            self.builder.enter(pointer, place, depth)
            return self.scalar(event, pointer)
        self.builder.enter(pointer, place, depth + 1)
        if isinstance(event, MappingStartEvent):
            return self.mapping(pointer, depth + 1)
        return self.sequence(pointer, depth + 1)

    def properties(self, event: Event, pointer: str) -> None:
        if event.anchor is not None:
            self.refuse(
                limits.ANCHOR,
                event,
                pointer,
                got=f"the anchor '&{event.anchor}'",
                expected="no anchors",
                hint=_REPEAT,
            )
        if event.tag is not None:
            self.refuse(
                limits.TAG,
                event,
                pointer,
                got=f"the tag {event.tag[:80]!r}",
                expected="no tags",
                hint="remove the tag, quote strings",
            )

    def scalar(self, event: Event, pointer: str) -> JsonValue:
        mark = event.start_mark
        text = event.value
        if event.implicit[0]:  # plain: not quoted, no block, no tag
            try:
                resolved = resolve_plain(text)
            except NumberError as error:
                self.refuse(
                    limits.NUMBER,
                    event,
                    pointer,
                    got=str(error),
                    expected="a JSON number",
                    hint="quote it to make it a text",
                )
                return None
            if not isinstance(resolved, str):
                return resolved
        return self.builder.text(text, mark.line + 1, mark.column + 1, pointer)

    def sequence(self, pointer: str, depth: int) -> list[JsonValue]:
        items: list[JsonValue] = []
        while not isinstance(event := self.next(), SequenceEndEvent):
            items.append(self.value(event, f"{pointer}/{len(items)}", None, depth))
        return items

    def mapping(self, pointer: str, depth: int) -> dict[str, JsonValue]:
        entries: dict[str, JsonValue] = {}
        while not isinstance(event := self.next(), MappingEndEvent):
            key = self.key(event, pointer, depth)
            if key.text is None:
                self.value(self.next(), join_pointer(pointer, "?"), key, depth)
                continue
            child = self.builder.add(entries, key.text, pointer, key.line, key.column)
            known = key.text in entries
            value = self.value(self.next(), child, key, depth)
            if not known:
                entries[key.text] = value
        return entries

    def key(self, event: Event, pointer: str, depth: int) -> Key:
        line, column = event.start_mark.line + 1, event.start_mark.column + 1
        if not isinstance(event, ScalarEvent):
            self.value(event, join_pointer(pointer, "?"), None, depth)
            self.refuse(
                limits.KEY_TYPE,
                event,
                pointer,
                got="a key that is no text",
                expected="a text",
                hint="write one plain word",
            )
            return Key(None, line, column)
        self.properties(event, pointer)
        if event.value == "<<" and event.implicit[0]:
            self.refuse(
                limits.MERGE_KEY,
                event,
                pointer,
                got="the merge key '<<'",
                expected="plain keys",
                hint=_REPEAT,
            )
            return Key(None, line, column)
        value = self.scalar(event, pointer)
        if not isinstance(value, str):
            self.refuse(
                limits.KEY_TYPE,
                event,
                pointer,
                got=f"the key {event.value!r}, which is no text",
                expected="a text",
                hint="quote the key",
            )
            return Key(None, line, column)
        return Key(value, line, column)

    def refuse(self, code: str, event: Event, pointer: str, *, got: str, expected: str, hint: str) -> None:
        mark = event.start_mark
        self.builder.problem(
            code, (mark.line + 1, mark.column + 1), pointer, got=got, expected=expected, hint=hint
        )


_REPEAT = "write the value out where it is needed"
