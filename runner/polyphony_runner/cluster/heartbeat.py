"""The signs of life of one worker: a thread of its own, so that a long append or a busy loop costs no lease."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.leases import renew

_LOG = logging.getLogger(__name__)


class Heartbeat:
    """Renews what a worker holds every third of the lease. ``owners`` gives the names it holds runs under."""

    def __init__(
        self, database: Database, worker: str, slots: int, lease: float, owners: Callable[[], Sequence[str]]
    ) -> None:
        self._database = database
        self._worker = worker
        self._slots = slots
        self._lease = lease
        self._owners = owners
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Give the first sign of life before this returns, then go on by itself."""
        renew(self._database, [], self._worker, self._slots, self._lease)
        self._thread.start()

    def stop(self) -> None:
        """No more signs of life."""
        self._stopping.set()
        self._database.stopped = True
        self._thread.join()
        self._database.close()

    def _beat(self) -> None:
        while not self._stopping.wait(self._lease / 3):
            try:
                renew(self._database, self._owners(), self._worker, self._slots, self._lease)
            except ClusterError as error:
                _LOG.debug("no heartbeat: %s", error)
