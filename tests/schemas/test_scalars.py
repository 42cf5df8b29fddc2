from __future__ import annotations

import doctest
from decimal import Decimal
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas import names, scalars, semver, yaml12
from polyphony_schemas.errors import FormatError
from polyphony_schemas.expressions import numbers
from polyphony_schemas.json_schema import finding, wires


@pytest.mark.parametrize(
    "module",
    [scalars, semver, names, yaml12, yaml12.document, yaml12.scalar, numbers, finding, wires],
    ids=lambda module: module.__name__,
)
def test_the_examples_in_the_modules_are_true(module: ModuleType) -> None:
    assert doctest.testmod(module, optionflags=doctest.ELLIPSIS).failed == 0


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("1d2h3m4s5ms", 93_784_005), ("0s", 0), ("90s", 90_000), ("5ms", 5), ("10m", 600_000), ("500ms", 500)],
)
def test_reads_durations(text: str, milliseconds: int) -> None:
    assert scalars.parse_duration(text) == milliseconds


@pytest.mark.parametrize(
    "text", ["", "1", "1.5h", "2h1d", "1h1h", "-1s", "1 s", "1w", "1H", "9" * 30 + "d", "٣s"]
)
def test_refuses_other_durations(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        scalars.parse_duration(text)
    assert caught.value.code == "PLY1301"


@given(st.integers(0, 2**53 - 1))
def test_durations_come_back(milliseconds: int) -> None:
    assert scalars.parse_duration(scalars.format_duration(milliseconds)) == milliseconds


@given(st.integers(0, 2**53 - 1))
def test_sizes_come_back(size: int) -> None:
    assert scalars.parse_size(scalars.format_size(size)) == size


@pytest.mark.parametrize("text", ["", "1", "1KB", "1kib", "1.5GiB", "-1B", "1 MiB", "9" * 20 + "GiB"])
def test_refuses_other_sizes(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        scalars.parse_size(text)
    assert caught.value.code == "PLY1302"


@given(st.decimals(0, 10**9, places=6))
def test_money_comes_back(amount: Decimal) -> None:
    assert scalars.parse_money(scalars.format_money(amount)) == amount


@pytest.mark.parametrize("text", ["", "1.", ".5", "1e3", "-1", "01", "1.1234567", "NaN", "1,5", "$1"])
def test_refuses_other_money(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        scalars.parse_money(text)
    assert caught.value.code == "PLY1303"
