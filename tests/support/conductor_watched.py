"""Random runs with everything in them, of which each event is judged by an oracle and each state computed again."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from polyphony_runner.conductor.moment import Draft
from support.conductor_handlers import HandledWorld, handled_melody
from support.conductor_oracle import Oracle
from support.conductor_recomputed import check_recomputed


@dataclass
class WatchedWorld(HandledWorld):
    """Asks the oracle at every event, and computes the state again at some of them."""

    oracle: Oracle = field(init=False)

    def __post_init__(self) -> None:
        self.oracle = Oracle(self.melody)
        super().__post_init__()

    def record(self, draft: Draft) -> None:
        super().record(draft)
        self.oracle.see(self.events[-1])
        if self.random.random() < 0.1:
            check_recomputed(self.state)

    def killed_after(self, count: int, random: Random) -> WatchedWorld:
        """Another world, in which the process died when so many events were written, and another took the run up."""
        again = WatchedWorld(self.melody, random)
        for event in self.events[2:count]:
            again.now = event.at_ms
            again.record(Draft(event.type, event.node, event.attempt, event.data))
        again.crash()
        again.play()
        return again


def watched(seed: int) -> WatchedWorld:
    """A run that is over: every event had a cause."""
    random = Random(seed)
    world = WatchedWorld(handled_melody(random), random)
    world.play()
    check_end(world)
    return world


def check_end(world: WatchedWorld) -> None:
    """What holds for every run that is over, however it went."""
    state = world.state
    assert world.oracle.finished
    assert all(node.final for node in state.nodes.values())
    assert world.replayed().facts() == state.facts()
    expected = [] if state.status == "succeeded" else world.completed[::-1]
    assert world.undone == expected, "what was completed is taken back, the last first, once"


def killed_anywhere(seed: int) -> None:
    """A run, and what comes of it when its process dies after any of its events."""
    world, random = watched(seed), Random(~seed)
    count = random.randint(2, len(world.events) - 1)
    check_end(world.killed_after(count, random))
