from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.trust import canonical
from polyphony_schemas.values import JsonValue

KEYS = st.text(st.characters(max_codepoint=127), max_size=8)
LEAVES = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=8)
VALUES: st.SearchStrategy[JsonValue] = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back(value: JsonValue) -> None:
    assert canonical.decode(canonical.encode(value)) == value


@given(VALUES)
def test_other_spellings_are_refused_unless_asked_for(value: JsonValue) -> None:
    data = json.dumps(value, indent=1).encode()
    assert canonical.decode(data, canonical=False) == value
    if data != canonical.encode(value):
        with pytest.raises(FormatError, match="not canonical"):
            canonical.decode(data)


@pytest.mark.parametrize(
    "data",
    [
        b'{"a":1,"a":1}',
        b"NaN",
        b"[Infinity]",
        b"1.0",
        b"1e400",
        b"-0.0",
        b"-0",
        b"9007199254740992",
        b"1" * 5_000,
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'{"\xc3\xa9":1}',
        b"[" * 17 + b"]" * 17,
        b"[" * 60_000,
        b'"' + b"a" * 65_536 + b'"',
        b"",
        b"{",
        b'{"b":1,"a":1}',
        b'"\\u0041"',
        b"\xef\xbb\xbf1",
    ],
)
def test_refuses_what_readers_disagree_about(data: bytes) -> None:
    with pytest.raises(FormatError) as error:
        canonical.decode(data)
    assert error.value.code == "PLY5001"


@pytest.mark.parametrize("value", [1.5, 2**53, "\ud800", {"é": 1}])
def test_refuses_to_write_what_it_would_not_read(value: JsonValue) -> None:
    with pytest.raises(FormatError):
        canonical.encode(value)


def test_sixteen_levels_are_enough() -> None:
    data = b"[" * 16 + b"]" * 16
    assert canonical.encode(canonical.decode(data)) == data


@given(st.binary(max_size=60))
def test_random_bytes_give_only_our_error(data: bytes) -> None:
    try:
        assert canonical.encode(canonical.decode(data)) == data
    except FormatError as error:
        assert error.code == "PLY5001"


def test_only_objects_where_an_object_is_expected() -> None:
    with pytest.raises(FormatError, match="expected an object"):
        canonical.decode_object(b"[]")
