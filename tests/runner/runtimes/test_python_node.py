"""What the program inside the sandbox reads and writes without ``json`` is what ``json`` reads and writes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_runner.runtimes.inside import python_node

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


@given(st.dictionaries(st.text(), values))
def test_writes_and_reads_what_json_does(event: dict[str, object]) -> None:
    line = python_node.encode(event)
    assert line == _dumps(event)
    assert python_node.decode(line + "\n") == event
    assert python_node.decode(json.dumps(event)) == event


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), float("inf"), object()])
def test_refuses_what_json_refuses_in_its_words(value: object) -> None:
    with pytest.raises((TypeError, ValueError)) as theirs:
        _dumps({"value": value})
    with pytest.raises(theirs.type) as ours:
        python_node.encode({"value": value})
    assert str(ours.value) == str(theirs.value)


def test_refuses_a_value_that_holds_itself() -> None:
    event: dict[str, object] = {}
    event["again"] = event
    with pytest.raises(ValueError, match="Circular reference"):
        python_node.encode(event)


def test_a_cold_start_imports_neither_json_nor_regular_expressions() -> None:
    code = "import sys; sys.path.insert(0, sys.argv[1]); import python_node; print(*sys.modules)"
    folder = python_node.__file__.rpartition("/")[0]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code, folder], capture_output=True, check=True, text=True
    )
    assert not {"json", "re", "typing", "pathlib"} & set(done.stdout.split())
