"""One run in this process: opens the journal, replays it, lets the Conductor go on, signs the head.

``begin`` writes the first events of a new run, ``take_up`` replays one that exists; both give a ``Session``.
"""

from __future__ import annotations

import asyncio
import errno
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.conductor.assignments import RunContext
from polyphony_runner.conductor.conductor import CancelRequest, Conductor, Interrupt, Observer, replay
from polyphony_runner.conductor.executor import LocalExecutor
from polyphony_runner.conductor.lock_keeper import LockKeeper
from polyphony_runner.conductor.mail import Signal
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.pure_nodes import PureNodes, ResultCache
from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.home import Home
from polyphony_runner.journal.errors import JournalError
from polyphony_runner.journal.file import FileJournal
from polyphony_runner.packages import Package, PackageTable
from polyphony_runner.runs import control
from polyphony_runner.runs.assemble import AssembledRun
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.folder import RunFolder, RunRecord
from polyphony_runner.runs.groups import line_up
from polyphony_runner.runs.head import sign_head
from polyphony_runner.runs.logs import RunLogs
from polyphony_runner.runs.shared_locks import FileLocks
from polyphony_runner.runs.unchanged import check_unchanged, kept_digests
from polyphony_runner.runtimes.protocol import Assignment, Failure, Outcome, Runtime, Sink
from polyphony_runner.settings import read_settings
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.values import JsonObject, JsonValue, TreeId

if TYPE_CHECKING:
    from polyphony_runner.runs.trial import SkippingClock

# What a disk says that takes nothing more.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})
# Makes the runtime of a run once its packages are known.
RuntimeFactory = Callable[[PackageTable, FolderArtifacts, Path], Runtime]


@dataclass(slots=True)
class Session:
    """A run whose journal this process holds."""

    folder: RunFolder
    record: RunRecord
    state: RunState
    journal: FileJournal
    values: ValueStore
    artifacts: FolderArtifacts
    home: Home
    on_second_signal: Callable[[], None] = field(default=lambda: None)
    notice: Callable[[str], None] = field(default=lambda _text: None)
    # What ``run.started`` or ``run.resumed`` says: where to stop.
    stops: JsonObject = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.journal.close()

    def execute(
        self, runtime: RuntimeFactory, observer: Observer, cancel: CancelRequest | None = None
    ) -> RunState:
        """Go on until the run is finished or halted; then sign the journal's head. With ``cancel``, to end it."""
        try:
            asyncio.run(self.conduct(runtime, observer, cancel))
            sign_head(self.folder, self.journal, self.home.keys)
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise
            raise self._stopped(error) from error
        return self.state

    def _stopped(self, error: OSError) -> RunError:
        """PLY2851: the machine could not write something of the run. Its journal holds up to there."""
        run, over = self.folder.run, self.state.finished
        what = f"{str(error.filename)!r}: " if error.filename is not None else ""
        return RunError(
            "PLY2851",
            f"the run {run!r} {'could not be signed' if over else 'stopped'}: {what}{(error.strerror or str(error)).lower()}",
            hint=f"make room; the run is over: polyphony show {run}"
            if over
            else f"make room, then polyphony resume {run}",
            details={"run": run, "errno": error.errno},
        )

    async def conduct(
        self,
        runtime: RuntimeFactory,
        observer: Observer,
        cancel: CancelRequest | None = None,
        clock: SkippingClock | None = None,
    ) -> None:
        """``execute`` within a running event loop, without the signature; with ``clock`` nobody waits for time."""
        packages = packages_of(self.record)
        settings = read_settings(self.home)
        executor = LocalExecutor(
            runtime(packages, self.artifacts, Path(self.record.folder)), settings.places(self.home)
        )
        locks = FileLocks(self.home.locks)
        conductor = Conductor(
            state=self.state,
            journal=self.journal,
            executor=executor,
            context=context_of(self.record, packages),
            values=self.values,
            logs=RunLogs(self.folder.logs),
            observer=observer,
            pure=PureNodes(self._cache(packages)),
            keeper=LockKeeper(locks, self.record.run),
            post=self._post,
        )
        if clock is not None:
            conductor.clock, conductor.put_down = clock, clock.put_down
        watcher = asyncio.ensure_future(control.watch(self.folder, conductor.request))
        self._listen(conductor)
        try:
            ended = cancel or await line_up(conductor, locks, self.home, self.notice)
            self._first_events(conductor)
            if ended is not None:
                conductor.record(ended.draft)
            await conductor.run()
        finally:
            watcher.cancel()
            await executor.close()
            if conductor.pure.cache is not None:
                await conductor.pure.cache.close()

    def _cache(self, packages: PackageTable) -> ResultCache | None:
        """The cache of this home, where the run uses one and something in it is pure."""
        if not self.state.caching or not any(
            one.program.interface.pure for one in self.record.packages.values()
        ):
            return None
        from polyphony_runner.cache.lookups import lookups_of

        return lookups_of(self.home, packages, Path(self.record.folder), self.artifacts)

    def writer(self) -> Conductor:
        """A Conductor that adds to the journal and starts nothing."""
        return Conductor(
            state=self.state,
            journal=self.journal,
            executor=LocalExecutor(_NoRuntime()),
            context=RunContext(self.record.run, Path(), Path(), PackageTable()),
            values=self.values,
            logs=RunLogs(self.folder.logs),
        )

    def cancel(self, request: CancelRequest) -> RunState:
        """Cancel a run that no process executes: its whole, or one node after which it stays halted."""
        conductor = self.writer()
        self._first_events(conductor)
        conductor.settle(request)
        sign_head(self.folder, self.journal, self.home.keys)
        return self.state

    def append(self, request: SignalRequest | ApproveRequest) -> None:
        """Write what came from outside while no process executes the run, which stays as it is otherwise."""
        conductor = self.writer()
        draft = request.draft(self.state)
        if draft is not None:
            conductor.record(draft)
            conductor.flush()
            sign_head(self.folder, self.journal, self.home.keys)

    async def _post(self, signal: Signal) -> int:
        from polyphony_runner.runs.outside import post_everywhere

        record, state = self.record, self.state
        return await asyncio.to_thread(post_everywhere, self.home, record.run, record.package, signal, state)

    def settle(self, path: str, outputs: JsonObject) -> None:
        """A person gives a node its outputs while no process executes the run, which stays as it is otherwise."""
        conductor = self.writer()
        if self.state.next_seq == 1:
            self._first_events(conductor)
        data: dict[str, JsonValue] = {"outputs": dict(outputs), "edited": sorted(outputs)}
        conductor.record(Draft("node.succeeded", path, None, data))
        conductor.flush()
        sign_head(self.folder, self.journal, self.home.keys)

    def _first_events(self, conductor: Conductor) -> None:
        if self.state.next_seq > 1:
            cut: dict[str, JsonValue] = {"cut": self.journal.cut} if self.journal.cut else {}
            conductor.record(Draft("run.resumed", data={**cut, **self.stops}))
        else:
            conductor.record(Draft("run.started", data=self.stops))
        conductor.flush()

    def _listen(self, conductor: Conductor) -> None:
        """The first signal interrupts the run; what a second one does is the caller's."""
        loop = asyncio.get_running_loop()
        received: list[None] = []

        def interrupt() -> None:
            if received:
                self.on_second_signal()
            received.append(None)
            conductor.request(Interrupt())

        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(
                NotImplementedError, RuntimeError, ValueError
            ):  # not here, or not in the main thread
                loop.add_signal_handler(number, interrupt)


def begin(assembled: AssembledRun, home: Home) -> Session:
    """Write the first event of a new run; the run exists from here on, or nothing is left of it."""
    folder = assembled.folder
    try:
        session = _open(folder, assembled.record, assembled.melody, home)
    except BaseException:
        folder.discard()
        raise
    conductor = session.writer()
    try:
        conductor.record(Draft("run.created", data=created(assembled)))
        conductor.flush()
    except BaseException as error:
        session.journal.close()
        folder.discard()
        if isinstance(error, JournalError):
            error.hint = "make room, then run it again: nothing is left of this run"
        raise
    return session


def created(assembled: AssembledRun) -> dict[str, JsonValue]:
    """The data of a run's first event."""
    record = assembled.record
    packages: dict[str, JsonValue] = {
        uses: {"name": one.name, "version": one.version, "tree": one.tree, "local": one.local}
        for uses, one in record.packages.items()
    }
    return {
        "run": record.run,
        "name": record.name,
        "version": record.version,
        "tree": record.tree,
        "local": record.local,
        **kept_digests(assembled.folder),
        "packages": packages,
        "inputs": dict(assembled.inputs),
        "work": record.work,
        "ceiling": dict(record.ceiling),
        "unsafe_no_sandbox": record.unsafe_no_sandbox,
        "cache": record.cache,
        "group": assembled.group,
        "usage_trusted": list(assembled.usage_trusted),
        **({"pins": assembled.pins} if assembled.pins else {}),
    }


def take_up(folder: RunFolder, home: Home) -> Session:
    """Open a run that exists and replay its journal.

    PLY2414 when it is over, PLY2102 when it is being executed, PLY2417 when its folder cannot be read, PLY2418 when
    that is no longer what was written.
    """
    if folder.of_cluster:
        raise RunError(
            "PLY2713",
            f"the run {folder.run!r} is the cluster's: nothing of it is executed here",
            hint=f"polyphony resume {folder.run} lets the workers go on",
        )
    record = folder.record()
    check_unchanged(folder, home)
    session = _open(folder, record, folder.melody(), home)
    if session.state.finished:
        session.journal.close()
        raise RunError(
            "PLY2414",
            f"the run {folder.run!r} is over: {session.state.status}",
            hint=f"polyphony show {folder.run}",
        )
    return session


def load_state(folder: RunFolder, home: Home, observer: Observer | None = None) -> RunState:
    """The state of a run as its journal tells it now, whoever executes it; ``observer`` sees each event."""
    from polyphony_runner.conductor.evolve import evolve
    from polyphony_runner.journal.file import read_journal

    state = RunState(folder.melody(), ValueStore(FolderArtifacts(home.artifacts)))
    for event in read_journal(folder.journal):
        evolve(state, event)
        if observer is not None:
            observer(event, state)
    if state.next_seq == 0:
        raise folder.unreadable("it was ended before its first event")
    return state


def _open(folder: RunFolder, record: RunRecord, melody: CompiledMelody, home: Home) -> Session:
    artifacts = FolderArtifacts(home.artifacts)
    values = ValueStore(artifacts)
    journal = FileJournal(folder.journal)
    try:
        state = replay(RunState(melody, values), journal)
    except BaseException:
        journal.close()
        raise
    return Session(folder, record, state, journal, values, artifacts, home)


def context_of(record: RunRecord, packages: PackageTable) -> RunContext:
    """What every node of a run shares."""
    return RunContext(
        run=record.run,
        work=Path(record.work),
        folder=Path(record.folder),
        packages=packages,
        ceiling={key: _items(items) for key, items in record.ceiling.items()},
        allow_unsandboxed=record.unsafe_no_sandbox,
    )


def packages_of(record: RunRecord) -> PackageTable:
    """The packages of a run by the words of ``uses``."""
    return PackageTable(
        {
            uses: Package(
                Path(one.root),
                one.program,
                tree=None if one.tree is None else TreeId(one.tree),
                local=one.local,
                name=one.name,
            )
            for uses, one in record.packages.items()
        }
    )


def _items(value: JsonValue) -> tuple[JsonValue, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


class _NoRuntime:
    """Where nothing may be started."""

    async def run(self, assignment: Assignment, sink: Sink) -> Outcome:
        """Refuse: a Conductor that only writes starts nothing."""
        del assignment, sink
        return Failure("internal", "nothing may start here", retryable=False)

    async def close(self) -> None:
        """Nothing to end."""
