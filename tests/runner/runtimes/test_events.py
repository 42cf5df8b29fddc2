"""The node protocol, line by line."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.grants.masking import Masker
from polyphony_runner.runtimes import strict_json
from polyphony_runner.runtimes.events import MAX_EVENTS, EventReader
from polyphony_runner.runtimes.failures import NodeError
from polyphony_runner.runtimes.protocol import NodeEvent

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.fixture
def events() -> list[NodeEvent]:
    return []


@given(JSON)
def test_what_json_writes_is_read_back(value: object) -> None:
    assert strict_json.loads(json.dumps(value).encode()) == value
    assert strict_json.loads(json.dumps(value, ensure_ascii=False).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_a_value_or_a_value_error(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        strict_json.loads(data)


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "[Infinity]",
        "1e999",
        '{"a":{"b":1,"b":2}}',
        "[" * 65 + "]" * 65,
        "[" * 100_000,
        '"\\ud800"',
        "1 2",
        "",
    ],
)
def test_loose_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        strict_json.loads(text.encode())


def test_depth_64_is_read() -> None:
    assert strict_json.loads(b"[" * 64 + b"]" * 64)


def refused(lines: list[object]) -> NodeError:
    reader = EventReader(lambda _: None, Masker({}))
    with pytest.raises(NodeError) as caught:
        for line in lines:
            reader.line(line if isinstance(line, bytes) else json.dumps(line).encode())
        reader.outcome()
    return caught.value


RESULT = {"type": "result", "outputs": {}}


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [RESULT, RESULT],
        [RESULT, {"type": "log", "message": "late"}],
        [{"type": "result", "outputs": []}],
        [{"type": "log", "level": "loud", "message": "x"}],
        [{"type": "log"}],
        [{"type": "usage", "model": "m", "input_tokens": -1}],
        [{"type": "usage", "model": "m", "usd": 0.1}],
        [{"type": "usage", "model": "m", "usd": "1e9"}],
        [{"type": "usage", "model": "m", "usd": "١"}],
        [{"type": "usage", "model": "m", "input_tokens": 10**4000}],
        [{"type": "progress", "done": 10**400}],
        [{"type": "artifact", "name": "x", "path": "x", "media_type": "text/\x1b[2J"}],
        [{"type": "progress", "done": "half"}],
        [{"type": "artifact", "name": "../x", "path": "x"}],
        [{"type": "artifact", "name": "x"}],
        [{"type": "error", "message": "x", "retryable": "no"}],
        [{"type": ["log"]}],
        [b"\xff"],
    ],
)
def test_every_other_shape_is_a_protocol_error(lines: list[object]) -> None:
    assert refused(lines).kind == "protocol"


def test_bounds_are_output_errors() -> None:
    assert refused([b'"' + b"x" * (1 << 20) + b'"']).kind == "output"
    assert refused([{"type": "log", "message": "x"}] * (MAX_EVENTS + 1)).kind == "output"


def test_progress_is_passed_on_ten_times_a_second(events: list[NodeEvent]) -> None:
    now = [0.0]
    reader = EventReader(events.append, Masker({}), lambda: now[0])
    for done in range(100):
        now[0] = done / 100
        reader.line(json.dumps({"type": "progress", "done": done}).encode())
    assert 9 <= len(events) <= 10


def test_an_error_claims_only_what_it_may() -> None:
    claimed = refused([{"type": "error", "kind": "timeout", "message": "m", "trace": "t"}])
    assert (claimed.kind, claimed.trace, claimed.retryable) == ("exit", "t", False)


def test_secrets_are_masked_before_anything_else(events: list[NodeEvent]) -> None:
    reader = EventReader(events.append, Masker({"S": b"hidden-word"}))
    reader.line(b'{"type":"log","message":"hidden-word"}')
    with pytest.raises(NodeError) as caught:
        reader.line(b"hidden-word")
    assert events[0].data["message"] == "***"
    assert "hidden" not in caught.value.message
