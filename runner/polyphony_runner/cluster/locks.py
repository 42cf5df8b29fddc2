"""Locks among all runs of a cluster, for ``mutex`` with scope ``melody``: a row for each run that holds one or waits.

The row belongs to the run, not to the worker that conducts it: when the run is handed over, or its worker dies, the
lock stays with the run, because attempts of it may still be executed elsewhere. It goes with the end or halt of the run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from polyphony_runner.cluster.database import Database

_PAUSE_SECONDS = 0.1


class PgLocks:
    """``SharedLocks`` of one run. ``needed`` says whether its journal still asks for a lock of this name."""

    def __init__(self, database: Database, run: str, needed: Callable[[str], bool]) -> None:
        self._database = database
        self._run = run
        self._needed = needed

    async def acquire(self, name: str, owner: str = "") -> Callable[[], None]:
        """Wait for the lock, first come first served."""
        del owner
        try:
            while not self._is_first(name):
                await asyncio.sleep(_PAUSE_SECONDS)
        except BaseException:
            self._release(name)
            raise
        return lambda: self._release(name)

    def owners(self, name: str) -> list[str]:
        """The runs that hold the lock or wait for it, in their order."""
        rows = self._database.rows("SELECT run FROM locks WHERE name = %s ORDER BY id", (name,))
        return [str(row[0]) for row in rows]

    def _is_first(self, name: str) -> bool:
        owners = self.owners(name)
        if self._run not in owners:
            self._database.rows(
                "INSERT INTO locks (name, run) VALUES (%s, %s) ON CONFLICT DO NOTHING", (name, self._run)
            )
            owners = self.owners(name)
        return owners[0] == self._run

    def _release(self, name: str) -> None:
        if not self._needed(name):
            self._database.rows("DELETE FROM locks WHERE name = %s AND run = %s", (name, self._run))
