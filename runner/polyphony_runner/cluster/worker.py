"""``polyphony worker``: one process of a cluster, with places for nodes.

It answers rings (a run has something ready): it takes the run's lease if nobody has it and conducts the run, and it
takes attempts that other workers offer. Which worker does what is decided by the database alone.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable

from polyphony_runner.artifacts.store import ArtifactStore
from polyphony_runner.cluster import leases, messages, tasks
from polyphony_runner.cluster.appending import Commits
from polyphony_runner.cluster.artifacts import open_artifacts
from polyphony_runner.cluster.conducting import Conducting, Station, new_owner
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.doorbell import Doorbell, LeanWorker, Listener
from polyphony_runner.cluster.errors import ClusterError, StoppedError
from polyphony_runner.cluster.heartbeat import Heartbeat
from polyphony_runner.cluster.helping import Helping
from polyphony_runner.cluster.material import Trees
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.cluster.slots import Slots
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.observe.metrics import Metrics
from polyphony_runner.packages import PackageSource
from polyphony_runner.runtimes.protocol import Runtime

_LOG = logging.getLogger(__name__)
_LATER_SECONDS = 0.05
_TICK_SECONDS = 0.5
_HANDLED_SECONDS = 5.0

RuntimeOfWorker = Callable[[PackageSource, ArtifactStore], Runtime]


def worker_name() -> str:
    """A name that no other worker has: the machine's, the process's, and chance."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


class Worker:
    """One worker. ``runtime`` is made once, for the nodes of every run."""

    def __init__(
        self,
        settings: ClusterSettings,
        home: Home,
        runtime: RuntimeOfWorker,
        *,
        slots: int,
        name: str = "",
        metrics: Metrics | None = None,
    ) -> None:
        """Connect; PLY2702 when the database cannot be reached. ``metrics`` sees the events of all runs conducted here."""
        database = Database(settings.database)
        database.connect()
        artifacts = open_artifacts(settings, home)
        trees = Trees(home, artifacts)
        self.station = Station(
            name=(name or worker_name()).replace(":", "-"),
            settings=settings,
            home=home,
            database=database,
            bell=Doorbell(settings.redis),
            artifacts=artifacts,
            values=ValueStore(artifacts),
            runtime=runtime(trees, artifacts),
            trees=trees,
            slots=Slots(slots),
            commits=Commits(Database(settings.database)),
            metrics=metrics,
        )
        self._helping = Helping(self.station, self.heard)
        self._runs: dict[str, Conducting] = {}
        self._drained = asyncio.Event()
        self._signals = 0

    @property
    def name(self) -> str:
        """What this worker is called."""
        return self.station.name

    def heed_signal(self) -> None:
        """Count a signal, whatever the loop does: the second one ends even the waiting for a database."""
        self._signals += 1
        if self._signals > 1:
            self.station.database.stopped = True
            self.station.commits.stop()

    async def work(self) -> None:
        """Work until ``drain`` was called and everything that runs here is over."""
        station = self.station
        loop = asyncio.get_running_loop()
        beat = Heartbeat(
            Database(station.settings.database),
            station.name,
            station.slots.total,
            station.settings.lease,
            self._owners,
        )
        beat.start()

        def rung(run: str) -> None:
            # The next ring is taken from the queue only when this one has its place, else others could have it.
            handled = threading.Event()
            loop.call_soon_threadsafe(self._careful, self.rung, run, handled.set)
            handled.wait(_HANDLED_SECONDS)

        def heard(run: str) -> None:
            loop.call_soon_threadsafe(self._careful, self.heard, run)

        ears = LeanWorker(station.settings.redis, station.name, station.slots.open, rung)
        listener = Listener(station.settings.redis, station.name, heard)
        threads = [threading.Thread(target=one.listen, daemon=True) for one in (ears, listener)]
        for thread in threads:
            thread.start()
        try:
            await self._attend()
        finally:
            ears.stop()
            listener.stop()
            await self._end()
            beat.stop()
            for thread in threads:
                await asyncio.to_thread(thread.join)
            station.bell.close()
            station.database.close()

    def drain(self) -> None:
        """Take nothing new, finish what runs, hand the runs over. Called again: leave at once."""
        if self.station.draining:
            self.station.database.stopped = True
            self.station.commits.stop()
            self._drained.set()
            return
        self.station.draining = True
        self.station.slots.close()
        for conducting in list(self._runs.values()):
            conducting.drain()
        self._look_whether_drained()

    def rung(self, run: str) -> None:
        """Somebody rang for a run: conduct it, or take what it offers."""
        station = self.station
        if station.draining:
            station.bell.ring([run])
        elif run in self._runs:
            self._read([run])
            self._helping.take(run)
        elif not station.slots.room:
            # Taken from the queue too early: somebody else may have room for it.
            asyncio.get_running_loop().call_later(_LATER_SECONDS, station.bell.ring, [run])
            self._helping.take(run)
        elif not self._begin(run):
            self._helping.take(run)

    def heard(self, run: str) -> None:
        """Somebody left a message for a run that this worker holds, or wants an attempt ended that it took."""
        if run in self._runs:
            self._read([run])
        elif not self._begin(run):
            self._helping.end_cancelled()

    @staticmethod
    def _careful(answer: Callable[[str], None], run: str, handled: Callable[[], None] = lambda: None) -> None:
        """A ring that cannot be answered now is answered after the next sweep."""
        try:
            answer(run)
        except (ClusterError, JournalError) as error:
            _LOG.warning("%s: %s", run, error.message)
        finally:
            handled()

    def _begin(self, run: str) -> bool:
        station = self.station
        if not station.slots.room:
            return False
        owner = new_owner(station.name)
        claimed = leases.claim(station.database, run, owner, station.settings.lease)
        if claimed is None:
            return False
        station.slots.conduct(+1)
        try:
            self._runs[run] = Conducting(station, run, owner, claimed, self._left)
        except Exception:  # noqa: BLE001  # one run must not end the worker
            # Its state stays as it was; the sweep rings again, and people can still look at it and cancel it.
            _LOG.exception("the run %s cannot be taken up", run)
            station.slots.conduct(-1)
            leases.put_down(station.database, run, owner, None, idle=False)
        return True

    def _left(self, conducting: Conducting) -> None:
        if self._runs.pop(conducting.run, None) is not None:
            self.station.slots.conduct(-1)
            if self.station.metrics is not None:
                self.station.metrics.forget(conducting.run)
        self._look_whether_drained()

    def _look_whether_drained(self) -> None:
        if self.station.draining and not self._runs and self._helping.idle:
            self._drained.set()

    def _owners(self) -> list[str]:
        return [conducting.owner for conducting in tuple(self._runs.values())]

    def _read(self, runs: list[str]) -> None:
        known = [number for run in runs for number in self._runs[run].journal.known_messages]
        for message in messages.read(self.station.database, runs, known):
            if (conducting := self._runs.get(message.run)) is not None:
                conducting.deliver(message)

    async def _attend(self) -> None:
        """Look after everything that no ring announces, until drained."""
        loop = asyncio.get_running_loop()
        next_sweep = loop.time()
        pause = min(_TICK_SECONDS, self.station.settings.lease / 6)
        while not self._drained.is_set():
            try:
                if loop.time() >= next_sweep:
                    next_sweep = loop.time() + self.station.settings.sweep
                    self._sweep()
                self._tick()
            except StoppedError:
                return
            except JournalError as error:
                _LOG.warning("%s", error.message)
            self._look_whether_drained()
            try:
                async with asyncio.timeout(pause):
                    await self._drained.wait()
            except TimeoutError:
                pass

    def _tick(self) -> None:
        station = self.station
        runs = list(self._runs)
        if runs:
            self._read(runs)
            for run, node, attempt in tasks.lost_tasks(
                station.database, runs, self._owners(), station.settings.lease
            ):
                self._runs[run].lost(node, attempt)
            for conducting in self._runs.values():
                conducting.logs.show()
        self._helping.end_cancelled()
        self._helping.show_logs()
        if not station.slots.room:
            self._helping.take()  # no ring is answered now, but there may be places

    def _sweep(self) -> None:
        """Ring for what was forgotten; what this worker has places for it takes itself, Redis or not."""
        rings = []
        for run in leases.forgotten(self.station.database, self.station.settings.lease):
            if self.station.slots.free > 0:
                self.rung(run)
            else:
                rings.append(run)
        self.station.bell.ring_anew(rings)

    async def _end(self) -> None:
        station = self.station
        owners = self._owners()
        for conducting in list(self._runs.values()):
            conducting.task.cancel()
        await asyncio.gather(*(one.task for one in self._runs.values()), return_exceptions=True)
        await self._helping.close()
        await station.runtime.close()
        await station.commits.close()
        try:
            leases.leave(station.database, owners, station.name)
        except StoppedError:
            _LOG.info("the database did not answer; what this worker held is free after its lease")
