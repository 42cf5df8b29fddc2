"""Breakpoints and steps as state: a run that is led step by step does what it does otherwise."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import RunState
from support.conductor_random_graphs import random_melody
from support.conductor_simulation import NoValues, World


class LedWorld(World):
    """Goes on by single steps whenever the run has halted before a node."""

    def act(self) -> None:
        if self.state.status == "halted":
            assert decide(self.state, self.moment()) == ()
            assert not self.state.running
            self.record(Draft("run.resumed", data={"step": True}))
        else:
            super().act()


def led(seed: int) -> LedWorld:
    random = Random(seed)
    world = LedWorld(random_melody(random), random, chaos=False)
    world.events.clear()
    world.state = RunState(world.melody, NoValues())
    world.record(Draft("run.created"))
    world.record(Draft("run.started", data={"step": True}))
    world.play(20_000)
    return world


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_every_step_ends_before_the_next_node_and_the_run_ends(seed: int) -> None:
    world = led(seed)
    assert world.state.finished
    assert world.replayed().facts() == world.state.facts()
    stopped: str | None = None
    begun = False
    for event in world.events:
        if event.type == "run.halted" and event.data["reason"] == "breakpoint":
            stopped, begun = str(event.data["node"]), False
        elif event.type == "node.ready" and stopped is not None and not world.state.nodes[stopped].is_scope:
            retried = event.data == {}
            assert retried or event.node == stopped or begun, (event, stopped)
        if event.node == stopped and event.type.startswith("node."):
            begun = True


@settings(max_examples=100, deadline=None)
@given(st.integers(min_value=0, max_value=2**32))
def test_a_halt_before_a_node_leaves_nothing_of_it(seed: int) -> None:
    world = led(seed)
    for halted in world.events:
        if halted.type == "run.halted" and halted.data["reason"] == "breakpoint":
            state = RunState(world.melody, NoValues())
            from polyphony_runner.conductor.evolve import evolve

            for event in world.events[: halted.seq + 1]:
                evolve(state, event)
            node = state.nodes[str(halted.data["node"])]
            assert (node.phase, state.breakpoints.at) == ("waiting", node.path)
            return
