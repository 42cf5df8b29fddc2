"""Somebody sets the machine's clock while a run waits: nothing takes longer, nothing comes early."""

from __future__ import annotations

import asyncio

import pytest

from polyphony_runner.conductor.clock import SteadyClock
from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.journal import Event, MemoryJournal
from polyphony_runner.runtimes.protocol import Failure
from support.conductor_graphs import Player, compiled, work

DAY = 86_400_000


class World:
    """A wall clock that is set, and an uptime that nobody sets (milliseconds)."""

    def __init__(self) -> None:
        self.wall, self.up = 1_900_000_000_000, 5_000

    def pass_time(self, milliseconds: int) -> None:
        self.wall += milliseconds
        self.up += milliseconds

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.up)


@pytest.mark.parametrize("jump", [-DAY, -1, 1, DAY, 400 * DAY])
def test_time_passes_at_the_rate_of_the_world_whatever_the_wall_says(jump: int) -> None:
    world = World()
    clock = world.clock()
    before = clock()
    world.pass_time(1_000)
    world.wall += jump
    world.pass_time(500)
    assert clock() - before == 1_500
    assert World().clock()() == World().wall


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_retry_waits_as_long_as_it_says_when_the_clock_is_set(player: Player, jump: int) -> None:
    world = World()
    tries: list[int] = []

    def fails_once(assignment: object, sink: object) -> Failure | dict[str, int]:
        tries.append(world.up)
        world.wall += jump
        return Failure("network", "no") if len(tries) == 1 else {"value": 1}

    melody = compiled({"a": work(on_error={"retry": {"max": 1, "delay": "50ms", "jitter": 0}})})

    async def pass_time(conductor: Conductor) -> None:
        conductor.clock = world.clock()
        while True:
            await asyncio.sleep(0.001)
            world.pass_time(1)

    played = player.play(melody, {"*": fails_once}, during=pass_time)
    assert played.statuses == {"a": "succeeded"}
    times = [event.at_ms for event in played.events]
    assert times == sorted(times)


def test_a_run_whose_last_event_lies_in_the_future_goes_on_from_there(player: Player) -> None:
    """It was begun on a machine whose clock was a year ahead: delays are as long as they say all the same."""
    future = SteadyClock()() + 365 * DAY
    journal = MemoryJournal()
    journal.append([Event(0, future, "run.created", data={"inputs": {}}), Event(1, future, "run.started")])
    melody = compiled(
        {"pause": {"uses": "core/wait", "with": {"delay": "20ms"}}, "a": work()}, ["pause -> a"]
    )
    played = player.play(melody, journal=journal)
    assert played.statuses == {"pause": "succeeded", "a": "succeeded"}
    assert all(event.at_ms >= future for event in played.events)
