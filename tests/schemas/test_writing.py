"""Between YAML and JSON nothing is lost."""

from __future__ import annotations

import json

from hypothesis import example, given, settings
from hypothesis import strategies as st

from polyphony_schemas.documents.writing import write_json, write_yaml
from polyphony_schemas.values import JsonValue
from polyphony_schemas.yaml12 import read_json, read_yaml

_TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=12)
_WORDS = st.sampled_from(
    ["0o17", "NO", "on", "1e3", "~", "", " a", "a: b", "# x", "0x1F", "${ a.n }", "2030-01-01", "<<"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT
    | _WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT | _WORDS, inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(_VALUES)
@example({"<<": 1, "=": ["0o17", 1e16, -0.0]})
def test_both_notations_read_back_to_the_same_value(value: JsonValue) -> None:
    wanted = json.dumps(value)
    assert json.dumps(read_yaml(write_yaml(value).encode(), "m.yaml").value) == wanted
    assert json.dumps(read_json(write_json(value).encode(), "m.json").value) == wanted
