"""Nothing happens without a cause, whatever the graph, whatever fails, is cancelled, halts or dies.

``make fuzz`` goes on with further graphs.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_schemas.journal import Event
from support.conductor_oracle import Oracle
from support.conductor_watched import WatchedWorld, killed_anywhere, watched

_SEEDS = st.integers(min_value=0, max_value=2**32)


@settings(max_examples=600, deadline=None)
@given(_SEEDS)
def test_every_event_has_its_cause_and_the_state_is_what_follows_from_it(seed: int) -> None:
    watched(seed)


@settings(max_examples=300, deadline=None)
@given(_SEEDS)
def test_a_run_goes_on_rightly_from_every_event_at_which_its_process_dies(seed: int) -> None:
    killed_anywhere(seed)


def refused(world: WatchedWorld, events: list[Event]) -> bool:
    oracle = Oracle(world.melody)
    try:
        for event in events:
            oracle.see(event)
    except (AssertionError, KeyError):
        return True
    return not oracle.finished


@pytest.mark.parametrize("seed", range(30))
def test_the_oracle_sees_what_is_left_out_doubled_or_too_early(seed: int) -> None:
    """Every event that starts or ends a node is missed, and is refused a second time."""
    world = watched(seed)
    for place, event in enumerate(world.events):
        rest = world.events[place + 1 :]
        if event.type in ("node.succeeded", "node.failed", "node.skipped", "node.dead"):
            assert refused(world, [*world.events[:place], *rest]), event
            assert refused(world, [*world.events[: place + 1], event, *rest]), event
        if event.type == "node.started":
            again = replace(event, attempt=(event.attempt or 0) + 1)
            assert refused(world, [*world.events[: place + 1], again, *rest]), event
            assert refused(world, [*world.events[:2], event, *world.events[2:]]), event
