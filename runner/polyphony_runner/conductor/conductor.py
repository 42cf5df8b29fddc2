"""The shell around the pure core: appends what it decides, starts what is durable, feeds outcomes back.

Order of every turn, and the whole of crash safety: decide → append and sync → only then start or cancel. A process
that dies between two of these steps leaves a journal from which another one continues.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from polyphony_runner.conductor.assignments import RunContext, assign
from polyphony_runner.conductor.clock import SteadyClock
from polyphony_runner.conductor.conclude import conclude
from polyphony_runner.conductor.decide import decide
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.executor import Done, Executor, Lost, Said
from polyphony_runner.conductor.lock_keeper import LockKeeper, MemoryLocks
from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.moment import Draft, Moment
from polyphony_runner.conductor.mutexes import regaining
from polyphony_runner.conductor.pure_nodes import Found, PureNodes
from polyphony_runner.conductor.requests import ApproveRequest, Posted, SignalRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.journal.protocol import Journal
from polyphony_runner.runs.logs import Logs
from polyphony_runner.runtimes.protocol import Assignment, Failure
from polyphony_schemas.errors import PolyphonyError
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue

# Events appended in one go; a longer row of decisions is cut so that nodes start early.
_BATCH = 512
_PROGRESS_MS = 1000

Observer = Callable[[Event, RunState], None]


@dataclass(frozen=True, slots=True)
class CancelRequest:
    """Somebody wants a node, a scope, an item or (None) the whole run cancelled; without ``undo`` nothing is taken back."""

    node: str | None = None
    reason: str = "requested"
    undo: bool = True

    @property
    def draft(self) -> Draft:
        """The event that says so."""
        data: dict[str, JsonValue] = {"reason": self.reason, **({} if self.undo else {"undo": False})}
        return Draft("run.cancelling", self.node, None, data)


@dataclass(slots=True)
class Interrupt:
    """Somebody wants the run halted now."""


Request: TypeAlias = CancelRequest | SignalRequest | ApproveRequest | Interrupt
# Brings a signal to every other unfinished run of the melody; how many it reached.
Post: TypeAlias = Callable[[Signal], Awaitable[int]]


async def _nobody(signal: Signal) -> int:
    del signal
    return 0


_Message: TypeAlias = Done | Said | Found | Lost | Posted | Request


@dataclass(slots=True)
class Conductor:
    """Runs one journal to its end, a halt, or an interrupt. ``clock`` gives Unix milliseconds."""

    state: RunState
    journal: Journal
    executor: Executor
    context: RunContext
    values: ValueStore
    logs: Logs
    clock: Callable[[], int] = field(default_factory=SteadyClock)
    luck: Callable[[], float] = field(default=lambda: random.uniform(-1, 1))  # noqa: S311  # spreads retries, no secret
    observer: Observer = field(default=lambda _event, _state: None)
    # Asked whenever nothing can be decided: whether to leave the run as it is, for whoever takes it up next.
    put_down: Callable[[RunState], bool] = field(default=lambda _state: False)
    # Where a journal shares its commits with others: returns when everything appended is durable.
    settled: Callable[[], Awaitable[None]] | None = None
    pure: PureNodes = field(default_factory=PureNodes)
    keeper: LockKeeper = field(default_factory=lambda: LockKeeper(MemoryLocks()))
    _batch: list[Event] = field(default_factory=list)
    _untold: list[Event] = field(default_factory=list)
    _starts: list[tuple[Assignment, float | None]] = field(default_factory=list)
    _refused: list[Done] = field(default_factory=list)
    post: Post = _nobody
    _inbox: deque[_Message] = field(default_factory=deque)
    _posts: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _told: set[str] = field(default_factory=set)
    _progress: dict[str, int] = field(default_factory=dict)
    _interrupting: bool = False
    _ahead: int = field(init=False)

    def __post_init__(self) -> None:
        # A journal whose last event lies in the future of this machine: time goes on from there.
        self._ahead = max(0, self.state.now_ms - self.clock())

    async def run(self) -> RunState:
        """Go on until the run finished, halted or was put down; the journal is durable when this returns."""
        try:
            if not self._over():
                # The next append takes for heard whatever was left for the run before it was taken up.
                self._absorb()
            while not self._over():
                await self._advance()
                if self._over() or (not self._inbox and self.put_down(self.state)):
                    break
                await self._wait()
                self._absorb()
        finally:
            for task in self._posts.values():
                task.cancel()
            await self.keeper.close()
            self.logs.close()
        return self.state

    async def line_up(self) -> None:
        """Before the start: wait until the run holds its concurrency group, or until somebody asks for something."""
        while regaining(self.state, self.keeper.held) and not self._inbox:
            self._wake.clear()
            self.keeper.tend(self.state.shared, self._wake.set)
            await self._wake.wait()

    def record(self, *drafts: Draft) -> None:
        """Give events their number and time and let the state see them; ``flush`` makes them durable."""
        for draft in drafts:
            data = self.values.outside(draft.data)
            now = self._now()
            event = Event(self.state.next_seq, now, draft.type, draft.node, draft.attempt, data)
            evolve(self.state, event)
            self._batch.append(event)
            if self.state.lookups and draft.type in ("node.ready", "run.resumed"):
                paths = (draft.node,) if draft.node is not None else tuple(self.state.lookups)
                self.pure.look_up(self.state, paths, self.context, now, self._put)

    def flush(self) -> None:
        """Append everything recorded; what is durable then is told to the observer."""
        if self._batch:
            batch, self._batch = self._batch, []
            self.journal.append(batch)
            self._untold += batch
        if self.settled is None:
            self._tell()

    def _tell(self) -> None:
        untold, self._untold = self._untold, []
        for event in untold:
            self.observer(event, self.state)

    def request(self, request: Request) -> None:
        """Ask for something, from the event loop's thread."""
        self._put(request)

    def report(self, message: Done | Said | Lost) -> None:
        """Say what became of an attempt that another process has, from the event loop's thread."""
        self._put(message)

    def wake(self) -> None:
        """Look again whether there is something to do, or to put down."""
        self._wake.set()

    def settle(self, request: CancelRequest) -> None:
        """Cancel without starting anything: of a run that no process executes. What is left stays halted."""
        self.record(request.draft)
        while drafts := decide(self.state, replace(self._moment(), locks=self.state.shared)):
            if any(self._starts_program(draft) for draft in drafts):
                break
            self.record(*drafts)
        if not self.state.finished:
            self.record(Draft("run.halted", None, None, {"reason": "interrupted"}))
        self.flush()

    def _starts_program(self, draft: Draft) -> bool:
        if draft.type != "node.started":
            return False
        node = self.state.nodes[draft.node or ""]
        return not node.is_scope and node.spec.kind != "core"

    def _over(self) -> bool:
        return self.state.finished or self.state.status == "halted"

    def _put(self, message: _Message) -> None:
        self._inbox.append(message)
        self._wake.set()

    async def _advance(self) -> None:
        """Decide until nothing is left to decide, then start and cancel what is durable."""
        while True:
            more = not self._interrupting and self._decide_batch()
            self._end_interrupt()
            self.flush()
            if self.settled is not None:
                await self.settled()
                self._tell()
            self._effects()
            if not more:
                return
            await asyncio.sleep(0)
            self._absorb()

    def _decide_batch(self) -> bool:
        """Record the next decisions; whether there may be more."""
        while len(self._batch) < _BATCH:
            drafts = decide(self.state, self._moment())
            if not drafts:
                return False
            for draft in drafts:
                if draft.type != "node.started":
                    self.record(draft)
                elif self.pure.may_start(draft.node or ""):
                    self.record(self._prepared(draft))
            # Taken up at once, so that a row of hits needs no turn of the event loop each.
            while self._inbox and isinstance(found := self._inbox[0], Found):
                self._inbox.popleft()
                self._found(found)
        return True

    def _now(self) -> int:
        """Unix milliseconds, never before the last event."""
        return max(self.state.now_ms, self.clock() + self._ahead)

    def _moment(self) -> Moment:
        now = self._now()
        return Moment(now, self.luck(), self.pure.to_start(self.state), self.keeper.held)

    def _prepared(self, draft: Draft) -> Draft:
        """Before an extension's start is recorded its assignment is made, so that the journal holds its grants."""
        if not self._starts_program(draft):
            return draft
        node = self.state.nodes[draft.node or ""]
        assignment = assign(self.state, node, self.context, self._moment().now_ms)
        if isinstance(assignment, Failure):
            self._refused.append(Done(node.path, node.attempt + 1, assignment))
            return draft
        timeout = assignment.limits.timeout_ms
        self._starts.append((assignment, None if timeout is None else timeout / 1000))
        grants: dict[str, JsonValue] = {key: list(items) for key, items in assignment.grants.items()}
        data = {**draft.data, **({"grants": grants} if grants else {}), **self.pure.facts(node)}
        return replace(draft, data=data) if data else draft

    def _effects(self) -> None:
        starts, self._starts = self._starts, []
        for assignment, timeout in starts:
            self.executor.start(assignment, timeout, self._put)
        refused, self._refused = self._refused, []
        for done in refused:
            self._put(done)
        self.keeper.tend(self.state.shared, self._wake.set)
        for path in self.state.mail.outbox.keys() - self._posts.keys():
            self._posts[path] = asyncio.ensure_future(self._post(path, self.state.mail.outbox[path]))
        for path in self.state.interrupts.keys() - self._told:
            self._told.add(path)
            self.executor.cancel(path)

    async def _post(self, path: str, signal: Signal) -> None:
        self._put(Posted(path, await self.post(signal)))

    async def _wait(self) -> None:
        if self._inbox:
            return
        state = self.state
        if not (
            state.running
            or state.timers
            or state.lookups
            or state.awaiting
            or state.mail.outbox
            or state.shared
        ):
            raise PolyphonyError("PLY2299", "the run can neither go on nor end", hint="report this as a bug")
        self._wake.clear()
        timeout = None
        held_back = self.state.halting is not None or regaining(self.state, self.keeper.held)
        if self.state.timers and not self._interrupting and not held_back:
            timeout = max(0.0, (self.state.timers[0][0] - self._now()) / 1000)
        if timeout is None:
            await self._wake.wait()
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._wake.wait()

    def _absorb(self) -> None:
        """Turn what was reported since into events."""
        while self._inbox:
            match self._inbox.popleft():
                case Done() as done:
                    self._done(done)
                case Said() as said:
                    self._said(said)
                case Found() as found:
                    self._found(found)
                case Lost() as lost:
                    if self.state.running.get(lost.path) == lost.attempt:
                        self._told.discard(lost.path)
                        self.record(Draft("run.resumed", data={"lost": [lost.path]}))
                case CancelRequest() as request:
                    if self.state.ending is None or not request.undo:
                        self.record(request.draft)
                case SignalRequest() | ApproveRequest() as request:
                    if (draft := request.draft(self.state)) is not None:
                        self.record(draft)
                case Posted() as posted:
                    self._posted(posted)
                case Interrupt():
                    self._begin_interrupt()

    def _posted(self, posted: Posted) -> None:
        self._posts.pop(posted.path, None)
        if posted.path in self.state.mail.outbox:
            attempt = self.state.nodes[posted.path].attempt
            data: dict[str, JsonValue] = {"outputs": {}, "reached": posted.runs}
            self.record(Draft("node.succeeded", posted.path, attempt, data))

    def _done(self, done: Done) -> None:
        self._told.discard(done.path)
        self._progress.pop(done.path, None)
        draft = self._interrupted(done) or conclude(
            self.state, done.path, done.attempt, done.outcome, self._moment()
        )
        log = self.logs.seal(done.path, done.attempt)
        if draft is not None:
            extra: dict[str, JsonValue] = {"ms": round(done.outcome.seconds * 1000)}
            if log is not None:
                extra["log"] = log
            self.record(replace(draft, data={**draft.data, **extra}))
        succeeded = draft is not None and draft.type == "node.succeeded"
        self.pure.ended(done.path, self._batch[-1].data if succeeded else None, self.state.now_ms)

    def _found(self, found: Found) -> None:
        draft = None if self._interrupting else self.pure.found(self.state, found)
        if draft is not None:
            self.record(draft)

    def _interrupted(self, done: Done) -> Draft | None:
        """An attempt that the interrupt ended: it is ready again when the run is resumed."""
        node = self.state.nodes[done.path]
        # Ctrl-C on a terminal reaches every process of the group: a program may die of it before it is cancelled.
        ended = isinstance(done.outcome, Failure) and done.outcome.kind in ("cancelled", "crash")
        if self._interrupting and ended and node.cancelling is None:
            return Draft("node.cancelled", done.path, done.attempt, {"reason": "interrupted"})
        return None

    def _said(self, said: Said) -> None:
        now = self._moment().now_ms
        match said.event.type:
            case "log":
                self.logs.write(said.path, said.attempt, now, said.event.data)
            case "progress":
                if now - self._progress.get(said.path, 0) >= _PROGRESS_MS:
                    self._progress[said.path] = now
                    self.record(Draft("node.progress", said.path, said.attempt, said.event.data))
            case "usage":
                self.record(Draft("node.usage", said.path, said.attempt, said.event.data))
            case "connection":
                self.record(Draft("node.connection", said.path, said.attempt, said.event.data))

    def _begin_interrupt(self) -> None:
        if not self._interrupting:
            self._interrupting = True
            for path in self._in_flight():
                self.executor.cancel(path)

    def _end_interrupt(self) -> None:
        if self._interrupting and not self.state.running and not self._over():
            self.record(Draft("run.halted", None, None, {"reason": "interrupted"}))

    def _in_flight(self) -> Iterator[str]:
        yield from tuple(self.state.running)


def replay(state: RunState, journal: Journal) -> RunState:
    """Let a fresh state see everything a journal holds."""
    for event in journal.events():
        evolve(state, event)
    return state
