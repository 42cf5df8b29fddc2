"""The journal's chain: any change, cut or gap is seen."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.journal import JournalEvent, decode_event, encode_event, verify_chain
from polyphony_schemas.journal_line import FIRST_PREV, line_digest


def chain(length: int) -> list[bytes]:
    lines: list[bytes] = []
    prev = FIRST_PREV
    for seq in range(length):
        event = JournalEvent(
            v=1,
            seq=seq,
            at="2030-01-01T00:00:00.000Z",
            type="node.ready",
            node="fix[3]/lint",
            attempt=1,
            data={"é": seq},
            prev=prev,
        )
        lines.append(encode_event(event))
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
    assert encode_event(decode_event(line)) == line


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
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
        decode_event(json.dumps(document).encode())
    assert caught.value.code == "PLY1820"
