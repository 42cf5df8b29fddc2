"""melody.lock: one spelling, strict, every problem at once."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.lock import decode_lock, encode_lock
from polyphony_schemas.lock_document import read_lock

PACKAGE = {
    "registry": "registry.example/log",
    "index": 7,
    "commit": "ab" * 20,
    "tree": "cd" * 32,
    "bundle": "ef" * 32,
    "signer": "key",
    "permissions": "01" * 32,
    "at": 1_900_000_000,
}
DOCUMENT = {
    "lock": "v1",
    "registries": {"registry.example/log": {"checkpoint": "note", "registry": "registry.example"}},
    "roots": {"polyphony/flow": {"range": "^1", "version": "1.2.0"}},
    "packages": {
        "polyphony/flow@1.2.0": {**PACKAGE, "dependencies": {"polyphony/ruff@^1": "polyphony/ruff@1.4.0"}},
        "polyphony/ruff@1.4.0": {**PACKAGE, "minimum_age": 0, "dependencies": {}},
    },
}


def test_writes_keys_sorted_with_indent_1_and_a_line_feed_at_the_end() -> None:
    data = encode_lock(decode_lock(json.dumps(DOCUMENT).encode()))
    assert data == (json.dumps(DOCUMENT, indent=1, sort_keys=True) + "\n").encode()
    assert encode_lock(decode_lock(data)) == data


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"lock": "v2"}, "PLY1804"),
        ({"more": 1}, "PLY1802"),
        ({"x-more": 1}, "PLY1802"),
        ({"roots": {"flow": {"range": "^1", "version": "1.2.0"}}}, "PLY1306"),
        ({"roots": {"a/b": {"range": "one", "version": "1.2.0"}}}, "PLY1305"),
        ({"packages": {"a/b@1.0.0": {**PACKAGE, "tree": "xyz"}}}, "PLY1804"),
        ({"packages": {"a/b@1.0.0": {**PACKAGE, "index": -1}}}, "PLY1804"),
        ({"packages": {"a/b@1.0.0": {**PACKAGE, "dependencies": {"a/c@^1": "a/c@1.0.0"}}}}, "PLY1810"),
        ({"packages": {"a/b": PACKAGE}}, "PLY1304"),
    ],
)
def test_refuses_with_a_code(change: dict[str, object], code: str) -> None:
    lock, problems = read_lock(json.dumps({**DOCUMENT, **change}).encode())
    assert lock is None
    assert code in [problem.code for problem in problems]


WRONG: list[object] = [None, -1, 1.0, True, "", "x", "ab" * 20, [], {}, {"a/b@1": "c"}]


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A lock in our spelling in which one value, at any depth, was exchanged or one key was added or taken away."""
    document = json.loads(json.dumps(DOCUMENT))
    place, key = document, draw(st.sampled_from(sorted(document)))
    while isinstance(place[key], dict) and place[key] and draw(st.booleans()):
        place, key = place[key], draw(st.sampled_from(sorted(place[key])))
    match draw(st.sampled_from(["exchange", "remove", "add", "rename"])):
        case "exchange":
            place[key] = draw(st.sampled_from(WRONG))
        case "remove":
            del place[key]
        case "add":
            place["more"] = draw(st.sampled_from(WRONG))
        case _:
            place["a/b"] = place.pop(key)
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


@given(spoiled())
def test_the_quick_reader_takes_nothing_that_the_whole_one_refuses(data: bytes) -> None:
    whole, problems = read_lock(data)
    try:
        quick = decode_lock(data)
    except FormatError:
        assert whole is None
        assert problems
    else:
        assert quick == whole


def test_refuses_what_is_no_json_and_duplicate_keys() -> None:
    for data in (b"lock: v1", b'{"lock": "v1", "lock": "v1"}', b"[]"):
        with pytest.raises(FormatError) as caught:
            decode_lock(data)
        assert caught.value.code == "PLY1800"
