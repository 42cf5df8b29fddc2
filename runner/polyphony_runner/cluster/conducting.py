"""One run that this worker holds: the state caught up from the journal's rows, and the Conductor that goes on with it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from polyphony_runner.artifacts.store import ArtifactStore
from polyphony_runner.cluster import leases, messages, tasks
from polyphony_runner.cluster.appending import Commits
from polyphony_runner.cluster.codec import decode_outcome, decode_said
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.doorbell import Doorbell
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.executor import ClusterExecutor
from polyphony_runner.cluster.journal import PgJournal, read_events
from polyphony_runner.cluster.leases import Claimed
from polyphony_runner.cluster.locks import PgLocks
from polyphony_runner.cluster.logs import ClusterLogs
from polyphony_runner.cluster.material import Trees, load_material, load_melody
from polyphony_runner.cluster.messages import Message
from polyphony_runner.cluster.posting import post_to_melody
from polyphony_runner.cluster.requests import decode_request
from polyphony_runner.cluster.runtime import PlacedRuntime
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.cluster.slots import Slots
from polyphony_runner.conductor.conductor import Conductor
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.executor import Done, Lost, Said
from polyphony_runner.conductor.lock_keeper import LockKeeper
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalConflictError
from polyphony_runner.observe.metrics import Metrics
from polyphony_runner.runs.head import signed_head
from polyphony_runner.runs.session import context_of, packages_of
from polyphony_runner.runtimes.protocol import Runtime
from polyphony_schemas.journal import FIRST_PREV, Event

_LOG = logging.getLogger(__name__)
# A run whose next moment is farther away is put down; nearer, it is not worth the way through the database.
_NEAR_MS = 2000
_STATES_KEPT = 64


@dataclass(slots=True)
class Station:
    """What all runs on one worker share."""

    name: str
    settings: ClusterSettings
    home: Home
    database: Database
    bell: Doorbell
    artifacts: ArtifactStore
    values: ValueStore
    runtime: Runtime
    trees: Trees
    slots: Slots
    commits: Commits
    metrics: Metrics | None = None
    draining: bool = False
    # States of runs that were put down here, with the digest of the last line they saw.
    states: OrderedDict[str, tuple[RunState, str]] = field(default_factory=OrderedDict)

    def remember(self, run: str, state: RunState, head: str) -> None:
        """Keep a state: whoever takes the run up here again reads only what came since."""
        self.states[run] = (state, head)
        if len(self.states) > _STATES_KEPT:
            self.states.popitem(last=False)


def _unobserved(event: Event, state: RunState) -> None:
    """Nobody counts."""


class Conducting:
    """A run whose lease this worker took. ``left`` is called once when it does not hold it any more."""

    def __init__(
        self,
        station: Station,
        run: str,
        owner: str,
        claimed: Claimed,
        left: Callable[[Conducting], None],
    ) -> None:
        self.station = station
        self.run = run
        self.owner = owner
        self._left = left
        self._told = claimed.told
        material = load_material(station.database, run)
        self.state = self._caught_up()
        self.journal = PgJournal(
            station.database, run, owner, station.settings.lease, station.commits, claimed=claimed
        )
        self.logs = ClusterLogs(station.database, station.artifacts, run)
        self.executor = ClusterExecutor(
            run,
            owner,
            runtime=PlacedRuntime(station.runtime, material, station.trees),
            slots=station.slots,
            database=station.database,
            bell=station.bell,
            values=station.values,
        )
        self.conductor = Conductor(
            state=self.state,
            journal=self.journal,
            executor=self.executor,
            context=context_of(material.record, packages_of(material.record)),
            values=station.values,
            logs=self.logs,
            put_down=self._may_rest,
            settled=self.journal.settled,
            observer=station.metrics or _unobserved,
            keeper=LockKeeper(PgLocks(station.database, run, lambda name: name in self.state.shared), run),
            post=partial(post_to_melody, station.database, station.bell, station.values, run),
        )
        self.executor.told = self.conductor.report
        self.executor.offered = self.conductor.wake
        self.task = asyncio.ensure_future(self._conduct())

    def deliver(self, message: Message) -> None:
        """Give the Conductor what somebody left for this run; its next append removes the message."""
        self.journal.read_messages.append(message.id)
        path, attempt = message.node or "", message.attempt or 0
        if message.kind not in ("done", "said"):
            try:
                self.conductor.request(decode_request(message.kind, message.body))
            except ClusterError as error:
                _LOG.warning("%s: %s", self.run, error.message)
        elif self.state.running.get(path) != attempt:
            return  # of an attempt that is over in the journal
        elif message.kind == "said":
            self.conductor.report(Said(path, attempt, decode_said(message.body)))
        else:
            outcome, log = decode_outcome(message.body, self.station.values)
            self.logs.sealed_elsewhere(path, attempt, log)
            self.conductor.report(Done(path, attempt, outcome))

    def lost(self, path: str, attempt: int) -> None:
        """The worker that had an attempt of this run fell silent."""
        self.conductor.report(Lost(path, attempt))

    def drain(self) -> None:
        """This worker ends: offer what is kept, and leave the run once nothing of it happens here."""
        self.executor.offer_all()
        self.conductor.wake()

    def _caught_up(self) -> RunState:
        station, run = self.station, self.run
        known = station.states.pop(run, None)
        state, head = known or (RunState(load_melody(station.database, run), station.values), FIRST_PREV)
        for event in read_events(station.database, run, state.next_seq, head):
            evolve(state, event)
        return state

    def _take_over(self) -> None:
        """The first event of this holder, if there is one to write: a start, or what the last holder lost."""
        if self.state.next_seq == 1:
            self.conductor.record(Draft("run.started"))
        elif self.state.running or self.state.lookups:
            known = tasks.pending(self.station.database, self.run)
            lost = [path for path, attempt in self.state.running.items() if (path, attempt) not in known]
            if lost or self.state.lookups:
                self.conductor.record(Draft("run.resumed", data={"lost": list(lost)}))
        self.conductor.flush()

    def _may_rest(self, state: RunState) -> bool:
        if not self.executor.idle:
            return False
        if self.station.draining:
            return True
        if not state.idle or state.shared.keys() - self.conductor.keeper.held.keys():
            return False
        return not state.timers or state.timers[0][0] - time.time() * 1000 > _NEAR_MS

    async def _conduct(self) -> None:
        try:
            self._take_over()
            await self.journal.settled()
            # What came after the lease was taken is heard of, or read at the worker's next look.
            if self._told:
                known = self.journal.known_messages
                for message in messages.read(self.station.database, [self.run], known):
                    self.deliver(message)
            await self.conductor.run()
            self._leave()
        except JournalConflictError as error:
            _LOG.info("left %s: %s", self.run, error.message)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  # one run must not end the worker
            # Another worker will meet the same; the sweep keeps trying, and the run can still be cancelled.
            _LOG.exception("the run %s cannot be conducted", self.run)
        finally:
            await self.executor.close()
            self._left(self)

    def _leave(self) -> None:
        """Give the run back as it is: over, halted, or waiting for somebody else to go on."""
        station, state = self.station, self.state
        if state.finished or state.status == "halted":
            signature = signed_head(self.run, self.journal, station.home.keys).decode()
            leases.end(station.database, self.run, self.owner, signature)
            return
        if self.journal.read_messages:
            messages.remove(station.database, self.journal.read_messages)
        station.remember(self.run, state, self.journal.head)
        due = state.timers[0][0] if state.timers else None
        more = leases.put_down(
            station.database, self.run, self.owner, due, idle=state.idle and not station.draining
        )
        if more or not state.idle:
            station.bell.ring([self.run])


def new_owner(worker: str) -> str:
    """A name for one holding of a run: never used twice, so that an earlier holding of the same worker is refused too."""
    return f"{worker}:{secrets.token_hex(6)}"
