"""What holds for every graph with handlers, locks and budgets, whatever fails, is cancelled, halts or dies."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.conductor.state import FINAL
from polyphony_schemas.journal import Event
from support.conductor_handlers import BUDGET, HandledWorld, handled_melody

_FINAL_EVENTS = frozenset(f"node.{status}" for status in FINAL)
_SEEDS = st.integers(min_value=0, max_value=2**32)


def played(seed: int) -> HandledWorld:
    random = Random(seed)
    world = HandledWorld(handled_melody(random), random)
    world.play()
    return world


def endings(events: list[Event]) -> Counter[tuple[str, int]]:
    """Final events of each node in each of its lives: handlers are opened anew, scopes that begin anew likewise."""
    lives: Counter[str] = Counter()
    found: Counter[tuple[str, int]] = Counter()
    for event in events:
        path = event.node or ""
        if event.type == "node.retrying" or event.data.get("for") == "resume":
            lives[f"{path}["] += 1
        if event.type in ("node.waiting", "node.failed", "undo.started") and "by" in event.data:
            lives[str(event.data["by"])] += 1
        if event.type in _FINAL_EVENTS and event.data.get("reason") != "interrupted":
            life = sum(
                count
                for start, count in lives.items()
                if path == start or path.startswith((start.rstrip("[") + "[", start.rstrip("[") + "/"))
            )
            found[path, life] += 1
    return found


@settings(max_examples=300, deadline=None)
@given(_SEEDS)
def test_every_instance_ends_once_and_replay_gives_the_same(seed: int) -> None:
    world = played(seed)
    state = world.state
    assert all(node.final for node in state.nodes.values())
    assert all(count == 1 for count in endings(world.events).values())
    assert world.replayed().facts() == state.facts()
    assert not state.locks and not state.shared and not state.wanted and not state.in_line
    assert all(amount == 0 for amount in state.ledger.reserved.values())


@settings(max_examples=200, deadline=None)
@given(_SEEDS)
def test_exactly_what_was_completed_is_undone_the_last_first_and_once(seed: int) -> None:
    world = played(seed)
    expected = [] if world.state.status == "succeeded" else world.completed[::-1]
    assert world.undone == expected
    assert len(set(world.undone)) == len(world.undone)
    ended = [
        (event.node, event.attempt) for event in world.events if event.type in ("undo.done", "undo.failed")
    ]
    assert ended == world.undone


@settings(max_examples=200, deadline=None)
@given(_SEEDS)
def test_a_budget_is_never_overrun(seed: int) -> None:
    world = played(seed)
    if world.melody.budget_usd is not None:
        assert world.state.usage.usd <= BUDGET
