"""From bytes to a ``Document``: size and encoding first, then the syntax."""

from __future__ import annotations

from collections.abc import Callable

from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import limits
from polyphony_schemas.yaml12.builder import Builder, StopReading
from polyphony_schemas.yaml12.document import START, Document
from polyphony_schemas.yaml12.json_reader import read_json_text

# libyaml takes these for line breaks, YAML 1.2 does not; refusing them keeps both readings equal.
_OLD_BREAKS = ("\x85", "\u2028", "\u2029")


def read_yaml(data: bytes, file: str) -> Document:
    """Read a YAML document; ``file`` is the name that problems carry. Never raises for what ``data`` holds."""
    from polyphony_schemas.yaml12.events import read_events

    return _read(data, file, read_events)


def read_json(data: bytes, file: str) -> Document:
    """Read a JSON document, as ``read_yaml``."""
    return _read(data, file, read_json_text)


def read_document(data: bytes, file: str) -> Document:
    """Read ``data`` as JSON if ``file`` ends in ``.json``, else as YAML."""
    return read_json(data, file) if file.endswith(".json") else read_yaml(data, file)


def _read(data: bytes, file: str, parse: Callable[[str, Builder], JsonValue]) -> Document:
    builder = Builder(file)
    builder.places[""] = START
    text = _decoded(data, builder)
    value: JsonValue = None
    if text is not None:
        try:
            value = parse(text, builder)
        except StopReading:
            value = None
    return builder.finish(value)


def _decoded(data: bytes, builder: Builder) -> str | None:
    if len(data) > limits.MAX_BYTES:
        builder.problem(
            limits.TOO_BIG,
            (1, 1),
            "",
            got=f"{len(data)} bytes",
            expected=f"at most {limits.MAX_BYTES}",
            hint="move data into files of their own",
        )
        return None
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8", "replace")
        line, column = _place(before)
        got = f"the byte 0x{data[error.start]:02x}, which is not UTF-8"
        builder.problem(
            limits.BAD_BYTES, (line, column), "", got=got, expected="UTF-8", hint="save the file as UTF-8"
        )
        return None
    return text if _only_known_characters(text, builder) else None


def _only_known_characters(text: str, builder: Builder) -> bool:
    for character in ("\0", *_OLD_BREAKS):
        offset = text.find(character)
        if offset >= 0:
            line, column = _place(text[:offset])
            got = f"the character U+{ord(character):04X}"
            hint = "remove it, or write it as an escape in a quoted string" if ord(character) else "remove it"
            builder.problem(
                limits.BAD_BYTES, (line, column), "", got=got, expected="text in UTF-8", hint=hint
            )
            return False
    return True


def _place(before: str) -> tuple[int, int]:
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
