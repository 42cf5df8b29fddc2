"""The time of a running Conductor: it goes on at the rate of the world, whatever anybody sets the machine's clock to.

The clock of the wall is read once. From then on time passes as the machine's uptime does, sleep included, which nobody
can set: a correction by an hour or a year makes no delay longer and no timeout come early. The next process that
takes the run up reads the wall again.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _uptime_ms() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


@dataclass(slots=True)
class SteadyClock:
    """Unix milliseconds; ``wall`` is asked once, ``uptime`` at every call."""

    wall: Callable[[], int] = _wall_ms
    uptime: Callable[[], int] = _uptime_ms
    _offset: int = field(init=False)

    def __post_init__(self) -> None:
        self._offset = self.wall() - self.uptime()

    def __call__(self) -> int:
        """The time now."""
        return self._offset + self.uptime()
