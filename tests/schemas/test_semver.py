from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyphony_schemas.errors import FormatError
from polyphony_schemas.semver import Candidate, Range, Version, choose

numbers = st.integers(0, 3)
marks = st.lists(st.sampled_from(["0", "1", "10", "a", "alpha", "rc", "1a", "-"]), max_size=3).map(tuple)
versions = st.builds(Version, numbers, numbers, numbers, marks, st.sampled_from(["", "b1"]))


def test_orders_as_the_specification_does() -> None:
    texts = "1.0.0-alpha 1.0.0-alpha.1 1.0.0-alpha.beta 1.0.0-beta 1.0.0-beta.2 1.0.0-beta.11 1.0.0-rc.1 1.0.0 2.0.0"
    ordered = [Version.parse(text) for text in texts.split()]
    shuffled = ordered[4:] + ordered[:4]
    assert sorted(shuffled) == ordered


@given(versions, versions, versions)
def test_the_order_is_total_and_transitive(a: Version, b: Version, c: Version) -> None:
    assert (a < b) + (a == b) + (a > b) == 1
    if a <= b <= c:
        assert a <= c
    assert (a == b) == (hash(a) == hash(b) and not a < b and not b < a)


@given(versions)
def test_versions_come_back(version: Version) -> None:
    again = Version.parse(str(version))
    assert (again, again.build) == (version, version.build)


@pytest.mark.parametrize(
    "text", ["1", "1.0", "01.0.0", "1.0.0-01", "v1.0.0", "1.0.0-", "1.0.0+", "", "1.0.0 ", "1" * 200]
)
def test_refuses_other_versions(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        Version.parse(text)
    assert caught.value.code == "PLY1304"


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1", ["1.0.0", "1.9.9"], ["0.9.9", "2.0.0", "1.1.0-rc.1", "2.0.0-rc.1"]),
        ("^1.2.3", ["1.2.3", "1.3.0"], ["1.2.2", "2.0.0"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0", "0.2.2"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0", ["0.0.0", "0.9.0"], ["1.0.0"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("1.2.3", ["1.2.3", "1.2.3+build"], ["1.2.4", "1.2.3-rc.1"]),
        (">=1.2,<2", ["1.2.0", "1.9.0"], ["2.0.0", "1.1.0", "2.0.0-rc.1"]),
        (">1.0.0, <=1.5", ["1.0.1", "1.5.0"], ["1.0.0", "1.5.1"]),
        ("*", ["0.0.0", "9.9.9"], ["1.0.0-rc.1"]),
        ("^1.2.0-rc.1", ["1.2.0-rc.1", "1.2.0-rc.2", "1.2.0", "1.3.0"], ["1.3.0-rc.1", "1.2.0-beta"]),
        ("1.0.0-rc.1", ["1.0.0-rc.1"], ["1.0.0"]),
    ],
)
def test_ranges(text: str, inside: list[str], outside: list[str]) -> None:
    wanted = Range.parse(text)
    assert [v for v in inside if not wanted.allows(Version.parse(v))] == []
    assert [v for v in outside if wanted.allows(Version.parse(v))] == []
    assert str(wanted) == text


@pytest.mark.parametrize(
    "text", ["", "1", "1.2", "^", "^x", "1.x", "^1 || ^2", ">=1,", "1.2.3,<2", "latest", "^1.2.3.4", "^01"]
)
def test_refuses_other_ranges(text: str) -> None:
    with pytest.raises(FormatError) as caught:
        Range.parse(text)
    assert caught.value.code in ("PLY1304", "PLY1305")


def test_choice_takes_the_highest_allowed_and_says_what_it_passed_over() -> None:
    candidates = [
        Candidate(Version.parse("1.0.0")),
        Candidate(Version.parse("1.3.0"), "published 2 hours ago, minimum age is 72h"),
        Candidate(Version.parse("1.2.0"), "yanked"),
        Candidate(Version.parse("1.4.0-rc.1")),
        Candidate(Version.parse("2.0.0")),
        Candidate(Version.parse("1.1.0")),
    ]
    choice = choose(Range.parse("^1"), candidates)
    assert str(choice.chosen) == "1.1.0"
    assert choice.explain() == (
        "1.4.0-rc.1 (pre-release that the range does not name), "
        "1.3.0 (published 2 hours ago, minimum age is 72h), 1.2.0 (yanked)"
    )
    assert choose(Range.parse("^3"), candidates).chosen is None


@given(st.lists(versions), st.sampled_from(["^1", "~1.2", "*", ">=1,<3"]))
def test_the_choice_is_the_maximum_of_what_is_allowed(known: list[Version], text: str) -> None:
    wanted = Range.parse(text)
    allowed = [version for version in known if wanted.allows(version)]
    assert choose(wanted, map(Candidate, known)).chosen == max(allowed, default=None)
