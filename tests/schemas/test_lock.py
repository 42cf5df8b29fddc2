"""melody.lock: one spelling, strict, every problem at once."""

from __future__ import annotations

import json

import pytest

from polyphony_schemas.errors import FormatError
from polyphony_schemas.lock import Lock, decode_lock, encode_lock, read_lock

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
    data = encode_lock(Lock.model_validate(DOCUMENT))
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


def test_refuses_what_is_no_json_and_duplicate_keys() -> None:
    for data in (b"lock: v1", b'{"lock": "v1", "lock": "v1"}', b"[]"):
        with pytest.raises(FormatError) as caught:
            decode_lock(data)
        assert caught.value.code == "PLY1800"
