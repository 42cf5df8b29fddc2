"""The places of one worker: how many attempts it executes at the same time, its own runs' and other runs'."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable


class Slots:
    """``total`` places, and as many runs that the worker conducts.

    ``open`` is set, for other threads to see, while there is room for both: a worker conducts no more runs than it
    could give a place each, so that the nodes of a chain stay where the run is.
    """

    def __init__(self, total: int) -> None:
        self.total = total
        self.used = 0
        self.runs = 0
        self.open = threading.Event()
        self.closed = False
        self._waiting: deque[Callable[[], bool]] = deque()
        self._show()

    @property
    def free(self) -> int:
        """Places for new attempts: none once the door is closed."""
        return 0 if self.closed else self.total - self.used

    def take(self) -> bool:
        """Take a place if there is one."""
        if self.free <= 0:
            return False
        self.used += 1
        self._show()
        return True

    def give(self) -> None:
        """Give a place back: to the first that waits and still wants it."""
        self.used -= 1
        while self._waiting and self.free > 0:
            self.used += 1
            if self._waiting.popleft()():
                break
            self.used -= 1
        self._show()

    @property
    def room(self) -> bool:
        """Whether one more run could be conducted."""
        return not self.closed and self.runs < self.total

    def conduct(self, change: int) -> None:
        """One more run is conducted here, or one less."""
        self.runs += change
        self._show()

    def wait(self, begin: Callable[[], bool]) -> None:
        """Call ``begin`` with a place taken for it, once there is one; False says that it is not wanted any more."""
        self._waiting.append(begin)

    def close(self) -> None:
        """No new attempt from now on."""
        self.closed = True
        self._show()

    def _show(self) -> None:
        if self.free > 0 and self.room:
            if not self.open.is_set():
                self.open.set()
        elif self.open.is_set():
            self.open.clear()
