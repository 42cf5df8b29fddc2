"""The journal's chain: any change, cut or gap is seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import FIRST_PREV, Event, decode_line, encode_line, line_digest, verify_chain
from polyphony_schemas.journal_document import JournalEvent


def chain(length: int) -> list[bytes]:
    lines: list[bytes] = []
    prev = FIRST_PREV
    for seq in range(length):
        event = Event(seq, 1_893_456_000_000, "node.ready", "fix[3]/lint", 1, {"é": seq})
        lines.append(encode_line(event, prev))
        prev = line_digest(lines[-1])
    return lines


def test_takes_an_unbroken_chain_and_gives_its_head() -> None:
    lines = chain(4)
    assert verify_chain(lines).head == line_digest(lines[-1])
    assert verify_chain([]).ok


@given(st.integers(0, 4), st.integers(0, 200))
def test_sees_any_changed_byte_but_in_the_last_line(number: int, offset: int) -> None:
    lines = chain(6)
    line = bytearray(lines[number])
    line[offset % len(line)] ^= 1
    assert not verify_chain([*lines[:number], bytes(line), *lines[number + 1 :]]).ok


def test_sees_a_missing_and_a_repeated_line() -> None:
    lines = chain(5)
    assert not verify_chain([*lines[:2], *lines[3:]]).ok
    assert not verify_chain([*lines[:2], lines[1], *lines[2:]]).ok
    assert not verify_chain(lines[1:]).ok


def test_a_line_survives_reading_and_writing() -> None:
    (line,) = chain(1)
    assert encode_line(*decode_line(line)) == line


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"seq": -1},
        {"seq": 1.0},
        {"data": []},
        {"node": 7},
        {"type": ["node.ready"]},
        {"type": "node.done"},
        {"node": "A b"},
        {"attempt": 0},
        {"at": "now"},
        {"prev": "0"},
        {"more": 1},
    ],
)
def test_refuses_what_is_no_event(change: dict[str, object]) -> None:
    document = {**json.loads(chain(1)[0]), **change}
    with pytest.raises(FormatError) as caught:
        decode_line(json.dumps(document).encode())
    assert caught.value.code == "PLY1820"
    with pytest.raises(ValidationError):
        JournalEvent.model_validate(document)


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b"[" * 100_000, b"\xff", b"NaN"])
def test_refuses_what_is_no_map_of_json(line: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        decode_line(line)
    assert caught.value.code == "PLY1820"


def test_the_published_schema_takes_what_is_written() -> None:
    JournalEvent.model_validate(json.loads(chain(1)[0]))
