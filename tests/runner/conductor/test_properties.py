"""What holds for every graph, every outcome, every crash."""

from __future__ import annotations

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import FINAL, LIVE, WAITING, RunState
from polyphony_schemas.journal import Event
from support.conductor_random_graphs import random_melody
from support.conductor_simulation import World

_FINAL_EVENTS = frozenset(f"node.{status}" for status in FINAL)
_SEEDS = st.integers(min_value=0, max_value=2**32)


def _final_events(events: list[Event]) -> Counter[tuple[str, int]]:
    """Final events of each node in each life of its scope: a scope that is retried opens its nodes anew."""
    lives: Counter[str] = Counter()
    found: Counter[tuple[str, int]] = Counter()
    for event in events:
        path = event.node or ""
        if event.type == "node.retrying":
            lives[path] += 1
        if event.type in _FINAL_EVENTS and event.data.get("reason") != "interrupted":
            life = sum(count for scope, count in lives.items() if path.startswith((f"{scope}[", f"{scope}/")))
            found[path, life] += 1
    return found


def _check_end(state: RunState, events: list[Event]) -> None:
    assert state.finished
    assert not state.running
    assert not state.ready
    assert all(node.final for node in state.nodes.values()), {n.path: n.phase for n in state.nodes.values()}
    assert all(count == 1 for count in _final_events(events).values())
    assert state.nodes.keys() == {path for path, _ in _final_events(events)}


@settings(max_examples=250, deadline=None)
@given(_SEEDS)
def test_every_node_ends_once_whatever_happens(seed: int) -> None:
    random = Random(seed)
    world = World(random_melody(random), random)
    world.play()
    _check_end(world.state, world.events)
    assert world.replayed().facts() == world.state.facts()


@settings(max_examples=150, deadline=None)
@given(_SEEDS)
def test_a_node_that_succeeded_is_never_started_again(seed: int) -> None:
    random = Random(seed)
    world = World(random_melody(random), random)
    world.play()
    succeeded: set[str] = set()
    for event in world.events:
        path = event.node or ""
        if event.type == "node.retrying":
            succeeded -= {inner for inner in succeeded if inner.startswith((f"{path}[", f"{path}/"))}
        if event.type == "node.started":
            assert path not in succeeded
        if event.type == "node.succeeded":
            succeeded.add(path)


@settings(max_examples=150, deadline=None)
@given(_SEEDS)
def test_joins_follow_their_connections(seed: int) -> None:
    """Without chaos the fate of ``all`` and ``active`` depends on connections alone, not on time."""
    random = Random(seed)
    world = World(random_melody(random), random, chaos=False)
    world.play()
    root = world.state.root
    assert root is not None
    if world.state.ending is not None:
        return
    for name, node in root.nodes.items():
        edges = [root.edges[index] for index in root.plan.incoming[name]]
        assert WAITING not in edges
        began = node.phase != "dead" and not (node.phase == "cancelled" and node.attempt == 0)
        if node.phase == "failed" and node.attempt == 0 and "connection" in str(node.error):
            continue
        if node.cancelling is None and edges:
            live = sum(edge == LIVE for edge in edges)
            expected = {
                "all": live == len(edges),
                "active": live > 0,
                "any": live > 0,
                "first": live > 0,
                "n": live >= node.spec.join.count,
            }[node.spec.join.kind]
            assert began == expected, (name, node.phase, edges)


@settings(max_examples=100, deadline=None)
@given(_SEEDS)
def test_never_more_nodes_run_than_there_are_places(seed: int) -> None:
    random = Random(seed)
    melody = random_melody(random)
    world = World(melody, random)
    most = 0

    def record(draft: Draft) -> None:
        nonlocal most
        World.record(world, draft)
        most = max(most, len(world.state.running))

    world.record = record  # type: ignore[method-assign]  # watched from here on
    world.play()
    assert most <= melody.concurrency
