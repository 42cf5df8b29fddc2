"""Whatever a run did, it can be taken up from any event or node, and the new run ends as every run does."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import RunState
from polyphony_runner.runs.fork import read_past
from polyphony_runner.runs.rerun import RerunRequest, taken_over
from polyphony_schemas.journal import Event
from support.conductor_random_graphs import random_melody
from support.conductor_simulation import NoValues, World

_SEEDS = st.integers(min_value=0, max_value=2**32)


def ended(random: Random) -> World:
    world = World(random_melody(random), random)
    world.play()
    return world


def gone_on(world: World, events: list[Event]) -> World:
    """A new world in which the run begins with these events and then plays to its end."""
    made = World(world.melody, world.random, chaos=False, now=world.now)
    made.state, made.events = RunState(world.melody, NoValues()), []
    for event in events:
        evolve(made.state, event)
        made.events.append(event)
    made.record(Draft("run.resumed"))
    made.play()
    return made


def check(made: World) -> None:
    assert made.state.finished
    assert all(node.final for node in made.state.nodes.values()), {
        node.path: node.phase for node in made.state.nodes.values()
    }
    assert made.replayed().facts() == made.state.facts()


@settings(max_examples=120, deadline=None)
@given(_SEEDS)
def test_a_run_goes_on_from_any_event(seed: int) -> None:
    random = Random(seed)
    world = ended(random)
    at = random.randint(2, len(world.events) - 1)
    past = read_past(world.events[:at], RunState(world.melody, NoValues()))
    events, point = taken_over(past, RerunRequest(at=at))
    assert point <= at
    check(gone_on(world, events))


@settings(max_examples=200, deadline=None)
@given(_SEEDS)
def test_a_run_goes_on_from_any_node(seed: int) -> None:
    random = Random(seed)
    world = ended(random)
    past = read_past(world.events, RunState(world.melody, NoValues()))
    node = random.choice(sorted(past.nodes))
    events, _ = taken_over(past, RerunRequest(start=node))
    assert not [event for event in events if event.node == node and event.type == "node.succeeded"]
    check(gone_on(world, events))
