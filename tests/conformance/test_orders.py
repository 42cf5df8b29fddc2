"""The notation of allowed orders says exactly what it seems to say."""

from __future__ import annotations

import doctest

import pytest

from support import conformance_orders
from support.conformance_orders import Trace, objections
from support.conformance_patterns import patterns
from support.conformance_schedules import allowed, closure


def test_the_examples_of_the_notation_hold() -> None:
    assert doctest.testmod(conformance_orders).failed == 0


def test_a_chain_allows_one_order() -> None:
    assert allowed(Trace.of(["a < b.dead < w~"])) == {
        ("a.started", "a.succeeded", "b.dead", "w.started", "w.waiting", "w.succeeded")
    }


def test_braces_allow_every_order_of_what_is_inside() -> None:
    assert allowed(Trace.of(["a < {b.dead, c.skipped}"])) == {
        ("a.started", "a.succeeded", "b.dead", "c.skipped"),
        ("a.started", "a.succeeded", "c.skipped", "b.dead"),
    }


def test_chains_side_by_side_may_interleave_in_every_way() -> None:
    assert len(allowed(Trace.of(["a", "b"]))) == 6
    assert len(allowed(Trace.of(["a", "b", "c"]))) == 90


def test_spans_apart_never_overlap_and_may_come_in_any_order() -> None:
    assert allowed(Trace.of(["a <> b"])) == {
        ("a.started", "a.succeeded", "b.started", "b.succeeded"),
        ("b.started", "b.succeeded", "a.started", "a.succeeded"),
    }
    assert len(allowed(Trace.of(["a <> b <> c"]))) == 6


def test_a_range_is_one_chain_for_each_number() -> None:
    assert Trace.of(["m.started < m[0-1].opened"]) == Trace.of(
        ["m.started < m[0].opened", "m.started < m[1].opened"]
    )


def test_every_event_comes_once_and_no_other() -> None:
    trace = Trace.of(["a < b"])
    order = ["a.started", "a.succeeded", "b.started", "b.succeeded"]
    assert trace.objections(order) == []
    assert trace.objections(order[:-1]) == ["b.succeeded did not come"]
    assert trace.objections([*order, "c.dead"]) == ["c.dead came"]
    assert trace.objections([*order, "a.started"]) == ["a.started came 2 times"]


def test_one_of_several_traces_has_to_fit() -> None:
    traces = [Trace.of(["a < b.dead"]), Trace.of(["b < a.dead"])]
    assert objections(traces, ["a.started", "a.succeeded", "b.dead"]) == []
    assert objections(traces, ["b.started", "b.succeeded", "a.dead"]) == []
    assert objections(traces, ["a.started", "a.succeeded", "b.started", "b.succeeded"]) != []


@pytest.mark.parametrize("word", ["a.begun", "A", "a < b", "", "a b"])
def test_a_word_that_is_no_event_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="is no event"):
        Trace.of([f"{{{word}}}"])


def test_no_expectation_contradicts_itself() -> None:
    for pattern in patterns():
        for case in pattern.expectation.cases:
            assert all(left != right for trace in case.orders for left, right in closure(trace))


def test_every_pattern_is_there_with_its_melody_or_the_reason_why_not() -> None:
    found = patterns()
    assert [pattern.expectation.number for pattern in found] == list(range(1, 44))
    for pattern in found:
        melody = (pattern.folder / "melody.yaml").exists()
        assert melody == pattern.expressible == bool(pattern.expectation.cases)
        assert pattern.expressible or pattern.expectation.level == "could"
