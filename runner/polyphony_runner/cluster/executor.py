"""Attempts of a run that this worker holds: as many as it has places for here, the others anywhere.

One attempt without a place is kept, because a place is often free within milliseconds (a chain of short nodes needs
no other worker); after ``_KEPT_SECONDS`` it is offered too. Offers go out together, then the bell rings once for each
batch that a worker can take.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from polyphony_runner.cluster.codec import encode_assignment
from polyphony_runner.cluster.slots import Slots
from polyphony_runner.cluster.tasks import BATCH, Wake, cancel_task, offer
from polyphony_runner.conductor.executor import CANCELLED, Done, LocalExecutor, Lost, Report, Said
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.runtimes.protocol import Assignment, Runtime

if TYPE_CHECKING:
    from polyphony_runner.cluster.database import Database
    from polyphony_runner.cluster.doorbell import Doorbell

_KEPT_SECONDS = 0.05
_MOST_RINGS = 16


@dataclass(slots=True)
class _Waiting:
    assignment: Assignment
    timeout: float | None
    report: Report


class ClusterExecutor:
    """An ``Executor`` for one run held by ``owner``. What other workers report reaches the Conductor as messages."""

    def __init__(
        self,
        run: str,
        owner: str,
        *,
        runtime: Runtime,
        slots: Slots,
        database: Database,
        bell: Doorbell,
        values: ValueStore,
    ) -> None:
        # Where an end is reported that no ``start`` of this holder began, and who hears that offers are out.
        self.told: Report = lambda _message: None
        self.offered: Callable[[], None] = lambda: None
        self._run = run
        self._owner = owner
        self._slots = slots
        self._database = database
        self._bell = bell
        self._values = values
        self._local = LocalExecutor(runtime)
        self._here: set[str] = set()
        self._kept: dict[str, _Waiting] = {}
        self._offers: dict[str, _Waiting] = {}

    @property
    def idle(self) -> bool:
        """Whether nothing of this run happens on this worker."""
        return not (self._here or self._kept or self._offers)

    def start(self, assignment: Assignment, timeout: float | None, report: Report) -> None:
        """Begin an attempt here, keep it for a moment, or offer it."""
        waiting = _Waiting(assignment, timeout, report)
        if self._slots.take():
            self._begin(waiting)
        elif self._kept or self._slots.closed:
            self._offer_soon(waiting)
        else:
            self._kept[assignment.node] = waiting
            self._slots.wait(lambda: self._begin_kept(waiting))
            asyncio.get_running_loop().call_later(_KEPT_SECONDS, self._offer_kept, waiting)

    def cancel(self, path: str) -> None:
        """End the attempt of a node, wherever it is."""
        waiting = self._kept.pop(path, None) or self._offers.pop(path, None)
        if waiting is not None:
            waiting.report(Done(path, waiting.assignment.attempt, CANCELLED))
        elif path in self._here:
            self._local.cancel(path)
        else:
            self._cancel_elsewhere(path)

    async def close(self) -> None:
        """End what is here; attempts elsewhere are the next holder's."""
        self._kept.clear()
        self._offers.clear()
        await self._local.close()

    def offer_all(self) -> None:
        """Keep nothing back: this worker ends."""
        for waiting in list(self._kept.values()):
            self._offer_kept(waiting)

    def _begin(self, waiting: _Waiting) -> None:
        path = waiting.assignment.node
        self._here.add(path)

        def report(message: Done | Said | Lost) -> None:
            if isinstance(message, Done):
                self._here.discard(path)
                waiting.report(message)
                self._slots.give()
            else:
                waiting.report(message)

        self._local.start(waiting.assignment, waiting.timeout, report)

    def _begin_kept(self, waiting: _Waiting) -> bool:
        if self._kept.get(waiting.assignment.node) is not waiting:
            return False
        del self._kept[waiting.assignment.node]
        self._begin(waiting)
        return True

    def _offer_kept(self, waiting: _Waiting) -> None:
        if self._kept.get(waiting.assignment.node) is waiting:
            del self._kept[waiting.assignment.node]
            self._offer_soon(waiting)

    def _offer_soon(self, waiting: _Waiting) -> None:
        if not self._offers:
            asyncio.get_running_loop().call_soon(self._offer)
        self._offers[waiting.assignment.node] = waiting

    def _offer(self) -> None:
        offers, self._offers = list(self._offers.values()), {}
        if not offers:
            return
        given = [
            (
                str(one.assignment.node),
                one.assignment.attempt,
                encode_assignment(one.assignment, one.timeout, self._values),
            )
            for one in offers
        ]
        offer(self._database, self._run, self._owner, given)
        self._bell.ring([self._run] * min(_MOST_RINGS, -(-len(offers) // BATCH)))
        self.offered()

    def _cancel_elsewhere(self, path: str) -> None:
        attempt, worker = cancel_task(self._database, self._run, path)
        if attempt is not None:
            self.told(Done(path, attempt, CANCELLED))
        elif worker is not None:
            self._bell.tell([Wake(self._run, worker)])
