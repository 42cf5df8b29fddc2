"""The workflow control-flow patterns (Russell et al. 2006) by their numbers, and the error strategies, on every executor.

Each case is a melody, what the world does, and the exact set of orders its events may have (``patterns/``, ``errors/``).
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from support.conformance_executors import Outcome, PatternExecutor
from support.conformance_orders import objections
from support.conformance_patterns import Case, Pattern, cases
from support.conformance_schedules import Schedule, Seen, melody_of, without_kills

_FEWEST_SCHEDULES, _MOST_SCHEDULES = 20, 600


def named(pattern: Pattern, case: Case) -> str:
    """How a case is called in the list of tests."""
    return " ".join(filter(None, (pattern.folder.name, case.name.replace(",", "")))).replace(" ", "_")


EVERY = [pytest.param(pattern, case, id=named(pattern, case)) for pattern, case in cases()]
EXECUTORS = [
    pytest.param(executor, pattern, case, id=f"{executor}-{named(pattern, case)}")
    for executor in ("local", "sandbox", "cluster")
    for pattern, case in cases()
    if executor != "sandbox" or pattern.expectation.sandbox
]


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """Which pattern ran in which way, for tools/generate_patterns.py."""
    given = request.node.callspec.params
    record_property("pattern", given["pattern"].key)
    record_property("way", given.get("executor", "schedules"))


def check(case: Case, outcome: Outcome, order: list[str] | None = None) -> None:
    assert outcome.status == case.status
    assert {name: outcome.outputs[name] for name in case.outputs} == case.outputs
    order = outcome.order if order is None else order
    assert objections(case.orders, order) == [], order


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("executor", "pattern", "case"), EXECUTORS, indirect=["executor"])
def test_a_pattern_runs_as_it_may_and_in_no_other_way(
    executor: PatternExecutor, pattern: Pattern, case: Case
) -> None:
    check(case, executor.play(pattern, case))


@pytest.mark.parametrize(("pattern", "case"), EVERY)
def test_under_every_schedule_and_no_order_is_allowed_in_vain(pattern: Pattern, case: Case) -> None:
    """What is allowed is what can happen: a pair of events that no chain orders is seen in both orders."""
    melody, seen = melody_of(pattern), [Seen(trace) for trace in case.orders]
    for seed in range(_MOST_SCHEDULES):
        outcome = Schedule(melody, case, Random(seed)).play()
        check(case, outcome)
        for one in seen:
            if not one.trace.objections(outcome.order):
                one.add(outcome.order)
        if seed >= _FEWEST_SCHEDULES and not any(one.unexplained() or not one.before for one in seen):
            return
    assert [sorted(one.unexplained()) for one in seen] == [[] for _ in seen]
    raise AssertionError("some trace never came")


@pytest.mark.parametrize(("pattern", "case"), EVERY)
def test_a_process_that_dies_changes_nothing(pattern: Pattern, case: Case) -> None:
    """Save how often a node was started: that is what retries are about."""
    if pattern.key == "errors/01-retry":
        return
    melody = melody_of(pattern)
    for seed in range(_FEWEST_SCHEDULES):
        outcome = Schedule(melody, case, Random(seed), kills=0.2).play()
        check(case, outcome, without_kills(outcome.order))
