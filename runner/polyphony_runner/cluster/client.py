"""A cluster as the command line sees it: begin runs, look at them, follow them, ask something of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from polyphony_runner.artifacts.store import FolderArtifacts
from polyphony_runner.cluster import leases, messages
from polyphony_runner.cluster.artifacts import open_artifacts
from polyphony_runner.cluster.conducting import new_owner
from polyphony_runner.cluster.database import Database
from polyphony_runner.cluster.doorbell import Doorbell
from polyphony_runner.cluster.errors import ClusterError
from polyphony_runner.cluster.journal import PgJournal, check_chain, no_run, read_lines
from polyphony_runner.cluster.logs import ClusterLogs
from polyphony_runner.cluster.material import load_melody, pack
from polyphony_runner.cluster.mirror import Mirror
from polyphony_runner.cluster.posting import unfinished_runs
from polyphony_runner.cluster.requests import encode_request
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.conductor.assignments import RunContext
from polyphony_runner.conductor.conductor import (
    CancelRequest,
    Conductor,
    Interrupt,
    Observer,
    Request,
    replay,
)
from polyphony_runner.conductor.evolve import evolve
from polyphony_runner.conductor.executor import LocalExecutor
from polyphony_runner.conductor.function_runtime import NoopRuntime
from polyphony_runner.conductor.moment import Draft
from polyphony_runner.conductor.state import RunState
from polyphony_runner.conductor.storage import ValueStore
from polyphony_runner.home import Home
from polyphony_runner.journal.protocol import chain
from polyphony_runner.packages import PackageTable
from polyphony_runner.runs.assemble import AssembledRun
from polyphony_runner.runs.errors import RunError
from polyphony_runner.runs.features import refuse_on_a_cluster
from polyphony_runner.runs.folder import RunFolder
from polyphony_runner.runs.session import created
from polyphony_schemas.journal import FIRST_PREV, Event, line_digest
from polyphony_schemas.values import RunId

_PATIENCE = 10.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_INSERT = """
WITH made AS (
  INSERT INTO runs (run, name, package, local, next_seq, head)
  VALUES (%(run)s, %(name)s, %(package)s, %(local)s, 1, %(head)s)
  ON CONFLICT DO NOTHING RETURNING run
), kept AS (
  INSERT INTO materials (run, record, graph, packages)
  SELECT run, %(record)s, %(graph)s, %(packages)s::jsonb FROM made
)
INSERT INTO journal (run, seq, type, line) SELECT run, 0, 'run.created', %(line)s FROM made
"""
_LIST = """
SELECT run, name, local, status, created_at, changed_at, until > now() FROM runs ORDER BY run DESC LIMIT %s
"""


@dataclass(frozen=True, slots=True)
class ClusterRun:
    """One run as the database says; ``held``: a worker drives it at this moment."""

    run: str
    name: str
    local: bool
    status: str
    started_ms: int
    seconds: float
    held: bool


class Cluster:
    """One machine's way into its cluster."""

    def __init__(self, settings: ClusterSettings, home: Home) -> None:
        """Connect; PLY2702 when the database cannot be reached, PLY2708 for artifacts that cannot be used."""
        self.settings = settings
        self.home = home
        self.artifacts = open_artifacts(settings, home)
        self.database = Database(settings.database, patience=_PATIENCE)
        self.database.connect()
        self.bell = Doorbell(settings.redis)

    def close(self) -> None:
        """Close the connections."""
        self.database.close()
        self.bell.close()

    def submit(self, assembled: AssembledRun, announce: Callable[[], None] = lambda: None) -> None:
        """Bring a run into the cluster: packages first, then its row and its first event at once; and ring.

        ``announce`` is called when the run is there and no worker was rung for. PLY2409 for a melody that asks for
        what only one machine can do.
        """
        refuse_on_a_cluster(assembled.melody)
        folder, record = assembled.folder, assembled.record
        packages = pack(record, self.artifacts)
        data = ValueStore(self.artifacts).outside(created(assembled))
        lines, head = chain([Event(0, time.time_ns() // 1_000_000, "run.created", data=data)], FIRST_PREV)
        self.database.rows(
            _INSERT,
            {
                "run": record.run,
                "name": record.name,
                "package": record.package or record.name,
                "local": record.local,
                "record": (folder.path / "run.json").read_text(),
                "graph": (folder.path / "graph.json").read_text(),
                "packages": json.dumps(
                    {uses: {"tree": one.tree, "archive": one.archive} for uses, one in packages.items()}
                ),
                "head": head,
                "line": lines[0].decode("ascii"),
            },
        )
        self.mirror(record.run)
        announce()
        self.bell.ring([record.run])

    def slots(self) -> int:
        """How many places all living workers have together."""
        return leases.living_workers(self.database)

    def find(self, run: str) -> RunId | None:
        """The id of a run by its id or a unique beginning; None when there is none, PLY2402 for several."""
        rows = self.database.rows("SELECT run FROM runs WHERE starts_with(run, %s) LIMIT 2", (run,))
        if len(rows) > 1:
            raise RunError(
                "PLY2402", f"several runs of the cluster begin with {run!r}", hint="polyphony runs lists them"
            )
        return RunId(rows[0][0]) if rows and (len(run) >= 4 or rows[0][0] == run) else None

    def runs(self, limit: int | None) -> list[ClusterRun]:
        """The newest runs first."""
        return [
            ClusterRun(
                run=str(run),
                name=str(name),
                local=bool(local),
                status=str(status),
                started_ms=round(made.timestamp() * 1000),
                seconds=round((changed - made).total_seconds(), 3),
                held=bool(held),
            )
            for run, name, local, status, made, changed, held in self.database.rows(_LIST, (limit,))
        ]

    def unfinished(self, package: str) -> list[str]:
        """The unfinished runs of a package (``owner/name``, or the name of a local melody)."""
        return unfinished_runs(self.database, package)

    def status(self, run: str) -> tuple[str, bool]:
        """What the row of a run says, and whether a worker drives it; PLY2704."""
        rows = self.database.rows(
            "SELECT status, coalesce(until > now(), false) FROM runs WHERE run = %s", (run,)
        )
        if not rows:
            raise no_run(run)
        return str(rows[0][0]), bool(rows[0][1])

    def mirror(self, run: str) -> RunFolder:
        """A folder of this home with everything known about a run now."""
        mirror = Mirror(self.database, self.artifacts, self.home, run)
        mirror.refresh()
        mirror.fetch_head()
        mirror.fetch_live_logs()
        return mirror.folder

    def follow(self, run: str, observer: Observer) -> RunState:
        """Watch a run until it is finished or halted; its state."""
        mirror = Mirror(self.database, self.artifacts, self.home, run)
        state = RunState(load_melody(self.database, run), ValueStore(FolderArtifacts(self.home.artifacts)))
        head, pause = FIRST_PREV, _FIRST_PAUSE
        while True:
            lines = [line for _, line in read_lines(self.database, run, state.next_seq)]
            mirror.refresh()  # brings the values that these lines name
            for event in check_chain(run, lines, state.next_seq, head):
                evolve(state, event)
                observer(event, state)
            if state.finished or state.status == "halted":
                mirror.fetch_head()
                return state
            head = line_digest(lines[-1]) if lines else head
            pause = _FIRST_PAUSE if lines else min(pause * 1.5, _LONGEST_PAUSE)
            time.sleep(pause)

    def ask(self, run: str, request: Request) -> None:
        """Leave a request for whoever drives the run; PLY2414 when it is over.

        A run that is halted is taken up by this process for a moment: a cancel makes the workers go on with it, a
        signal or a decision is written down and it stays halted.
        """
        status, _ = self.status(run)
        if status not in leases.UNFINISHED:
            raise RunError("PLY2414", f"the run {run!r} is over: {status}", hint=f"polyphony show {run}")
        if status == "halted":
            self._write(run, lambda state: _when_halted(request, state))
            return
        kind, body = encode_request(request)
        self.bell.tell([messages.post(self.database, run, kind, body)])

    def resume(self, run: str) -> None:
        """Let a halted run go on; nothing happens to one that goes on anyway. PLY2414 when it is over."""
        status, _ = self.status(run)
        if status not in leases.UNFINISHED:
            raise RunError("PLY2414", f"the run {run!r} is over: {status}", hint=f"polyphony show {run}")
        if status == "halted":
            self._write(run, lambda _state: [Draft("run.resumed")])
        self.bell.ring([run])

    def _write(self, run: str, drafts: Callable[[RunState], list[Draft]]) -> None:
        """Append to a run that nobody drives; PLY2709 when somebody took it up meanwhile."""
        owner = self._claim(run)
        journal = PgJournal(self.database, run, owner, self.settings.lease)
        try:
            values = ValueStore(self.artifacts)
            conductor = Conductor(
                state=replay(RunState(load_melody(self.database, run), values), journal),
                journal=journal,
                executor=LocalExecutor(NoopRuntime()),
                context=RunContext(RunId(run), self.home.root, self.home.root, PackageTable()),
                values=values,
                logs=ClusterLogs(self.database, self.artifacts, run),
            )
            conductor.record(*drafts(conductor.state))
            conductor.flush()
        finally:
            journal.close()
        self.bell.ring([run])

    def _claim(self, run: str) -> str:
        """The lease of a run; whoever just halted it gives it back in a moment."""
        owner = new_owner("command")
        end = time.monotonic() + _PATIENCE
        while leases.claim(self.database, run, owner, self.settings.lease, leases.UNFINISHED) is None:
            if time.monotonic() > end:
                raise ClusterError(
                    "PLY2709", f"the run {run!r} was taken up at this moment", hint="try again"
                )
            time.sleep(_FIRST_PAUSE)
        return owner


def _when_halted(request: Request, state: RunState) -> list[Draft]:
    if isinstance(request, Interrupt):
        return []
    if isinstance(request, CancelRequest):
        return [Draft("run.resumed"), request.draft]
    draft = request.draft(state)
    return [] if draft is None else [draft]
