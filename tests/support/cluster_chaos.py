"""Kills and freezes in a cluster while runs go on, and what survived, counted outside the system.

Victims are workers (most of them while a node of theirs is in flight), Redis and PostgreSQL. A run of each melody
that nobody disturbs says first how all the others have to end: status, outputs, what completed, what was undone and
in which order. Each node's last act appends ``run path attempt`` to a file: so it is known what was executed.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from random import Random

from polyphony_runner.conductor.requests import ApproveRequest, SignalRequest
from polyphony_runner.runs.errors import RunError
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.journal import decode_line
from support.chaos_acts import Acts, Attempt
from support.chaos_melodies import ASKED, SIGNAL, chaos_melodies
from support.chaos_report import ClusterReport, Ending
from support.cluster_servers import Postgres, Redis, wait_for
from support.cluster_world import World

LEASE_SECONDS = 1.0
_WORKERS, _SLOTS, _ACTIVE = 4, 3, 10
_PATIENCE_SECONDS = 180.0
_ENDED = ("succeeded", "failed", "cancelled")
_FROZEN_SECONDS = 2.5 * LEASE_SECONDS
_AIMED = 0.95  # how many kills are aimed at a moment, and at a worker, with a node in flight
_SHARES = {"redis": 0.05, "postgresql": 0.05, "freeze": 0.1}  # of all kills; a freeze comes on top


class ClusterChaos:
    """One campaign in one folder, on servers of its own."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = Random(seed)
        self.report = ClusterReport(seed)
        self.melodies = chaos_melodies()
        self.expected: dict[str, Ending] = {}
        self.postgres, self.redis = MortalPostgres(), Redis()
        self.world = World(folder, self.postgres.new_database(), self.redis.url, lease=LEASE_SECONDS)
        self.acts = Acts(self.world.work)
        self.active: dict[str, tuple[str, float]] = {}
        self.lost: set[Attempt] = set()
        self.workers: set[int] = set()
        self.frozen: dict[int, float] = {}
        self.asked: dict[str, float] = {}
        with (folder / "workers.log").open("wb") as log:
            self._nursery = subprocess.Popen(
                [sys.executable, "-m", "support.chaos_worker"],
                env=self.world.environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def campaign(self, runs: int, kills: int) -> ClusterReport:
        """First one run of each melody in peace, then ``runs`` while ``kills`` are spread over them."""
        began, plan = time.monotonic(), self._plan(kills)
        for name in self.melodies:
            self._begin(name)
        while self.active:
            self._tend()
        while self.report.runs < runs or self.active:
            while len(self.active) < _ACTIVE and self.report.runs < runs:
                self._begin(self.random.choice(list(self.melodies)))
                self.report.runs += 1
            self._tend()
            over = self.report.runs - len(self.active)
            # Spread over the runs: kills wait for runs to end, or none ever would.
            if plan and self.report.total < kills * (over + _ACTIVE / 2) / runs:
                self._strike(plan)
        self.report.seconds = round(time.monotonic() - began, 1)
        self.report.in_flight_nodes_executed_again = sum(map(self.acts.begun_after, self.lost))
        return self.report

    def close(self) -> None:
        """End everything that was started."""
        for pid in self.workers:
            _signal(pid, signal.SIGKILL)
        self._nursery.communicate()
        self.world.close()
        self.redis.stop()
        self.postgres.close()

    def _begin(self, name: str) -> None:
        melody: CompiledMelody = self.melodies[name]
        run = self.world.submit(melody)
        self.active[run] = (name, time.monotonic())
        self.report.runs_of_melody[name] = self.report.runs_of_melody.get(name, 0) + bool(self.expected)
        if name == "waits":
            self.world.cluster.ask(run, SignalRequest(f"{run}-go", SIGNAL, {"n": 1}))

    def _tend(self) -> None:
        """Replace the dead, wake the frozen, answer what runs ask for, look at those that ended."""
        self.workers = {pid for pid in self.workers if _is_alive(pid)}
        while len(self.workers) < _WORKERS:
            self._spawn()
        for pid, until in tuple(self.frozen.items()):
            if time.monotonic() > until:
                _signal(pid, signal.SIGCONT)
                del self.frozen[pid]
        rows = self.world.cluster.database.rows(
            "SELECT run, status FROM runs WHERE run = ANY(%s)", (list(self.active),)
        )
        for run, status in rows:
            with suppress(RunError):  # it went on meanwhile, which the next look will show
                self._answer(str(run), str(status))
        self.acts.read()
        time.sleep(0.02)

    def _answer(self, run: str, status: str) -> None:
        name, began = self.active[run]
        if status in _ENDED:
            del self.active[run]
            self._compare(run, name)
        elif status == "halted":
            (self.world.work / f"repaired-{run}").touch()
            self.world.cluster.resume(run)
        elif status == "waiting" and name == "waits" and time.monotonic() - self.asked.get(run, 0) > 1:
            # A decision before the question counts for nothing: asked again until the run goes on.
            self.asked[run] = time.monotonic()
            self.world.cluster.ask(run, ApproveRequest(ASKED, True, "ada"))
        elif time.monotonic() - began > _PATIENCE_SECONDS:
            del self.active[run]
            self.report.runs_lost += 1
            self.report.problems.append(f"{name} {run} is {status} after {_PATIENCE_SECONDS:g} s")

    def _spawn(self) -> None:
        assert self._nursery.stdin is not None
        assert self._nursery.stdout is not None
        self._nursery.stdin.write(f"{self.world.folder / 'worker'} {_SLOTS}\n".encode())
        self._nursery.stdin.flush()
        self.workers.add(int(self._nursery.stdout.readline()))

    def _plan(self, kills: int) -> list[str]:
        """Whom to strike, in a random order; the last one is first."""
        several = {victim: max(1, round(share * kills)) for victim, share in _SHARES.items()}
        workers = kills - several["redis"] - several["postgresql"]
        plan = [victim for victim, times in {**several, "worker": workers}.items() for _ in range(times)]
        self.random.shuffle(plan)
        return plan

    def _strike(self, plan: list[str]) -> None:
        """The next kill or freeze of the plan, if there is something in flight to aim at."""
        aimed = self.random.random() < _AIMED
        pid = self._victim(aimed)
        if pid is None:
            return
        time.sleep(self.random.uniform(0, 0.04))
        self.acts.read()
        if aimed and not self.acts.in_flight(pid):
            return
        match plan.pop():
            case "redis":
                self._count("redis", bool(self.acts.in_flight(pid)))
                self.redis.stop()
                self.redis.start()
            case "postgresql":
                self._count("postgresql", bool(self.acts.in_flight(pid)))
                self.postgres.die()
                self.postgres.start()
            case "freeze":
                self._freeze(pid)
            case _:
                self._kill(pid)

    def _victim(self, aimed: bool) -> int | None:
        self.acts.read()
        free = sorted(self.workers - self.frozen.keys())
        if aimed:  # at one with many: some of them will still be in flight in a moment
            busy = {pid: len(self.acts.in_flight(pid)) for pid in free}
            free = [pid for pid in free if busy[pid] and busy[pid] == max(busy.values())]
        return self.random.choice(free) if free else None

    def _freeze(self, pid: int) -> None:
        _signal(pid, signal.SIGSTOP)
        self.frozen[pid] = time.monotonic() + _FROZEN_SECONDS
        self.report.frozen_workers += 1
        self.acts.read()
        self.lost |= self.acts.in_flight(pid)

    def _kill(self, pid: int) -> None:
        _signal(pid, signal.SIGKILL)
        wait_for(lambda: not _is_alive(pid), "the end of a killed worker")
        self.acts.read()
        in_flight = self.acts.in_flight(pid)
        self.lost |= in_flight
        self._count("worker", bool(in_flight))

    def _count(self, victim: str, in_flight: bool) -> None:
        self.report.kills[victim] += 1
        self.report.kills_with_node_in_flight += in_flight

    def _compare(self, run: str, name: str) -> None:
        """The journal's account against the acts, and against the run that was left in peace."""
        rows = self.world.cluster.database.rows(
            "SELECT line FROM journal WHERE run = %s ORDER BY seq", (run,)
        )
        events = [decode_line(str(line).encode())[0] for (line,) in rows]
        ending = Ending.of(events)
        if ending != self.expected.setdefault(name, ending):
            self.report.runs_ended_otherwise += 1
            self.report.problems.append(f"{name} {run}: {ending}, expected {self.expected[name]}")
        self.report.take_overs += sum(
            event.type == "run.resumed" and "lost" in event.data for event in events
        )
        self.acts.read()
        acts = self.acts.of(run)
        programs = {event.node for event in events if event.type == "node.ready"}
        for event in events:
            if event.type != "node.succeeded" or event.node not in programs:
                continue
            if "by" in event.data:  # its fallback's success, which has an event of its own
                continue
            done = event.attempt or 0
            mine = {number: times for (path, number), times in acts.items() if path == event.node}
            later = sum(times for number, times in mine.items() if number > done)
            self.report.acts_missing += mine.get(done, 0) == 0
            self.report.completed_nodes_executed_twice += later + max(0, mine.get(done, 0) - 1)


class MortalPostgres(Postgres):
    """A server that dies at once, with every process of it."""

    def die(self) -> None:
        """SIGKILL to all of it."""
        assert self._process is not None
        pid = self._process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, children)):
            _signal(one, signal.SIGKILL)
        self._process.wait()
        self._process = None
        wait_for(lambda: not any(map(_is_alive, map(int, children))), "the end of PostgreSQL's processes")


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _is_alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
