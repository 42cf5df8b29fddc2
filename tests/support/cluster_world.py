"""A whole cluster on this machine for one test: servers, workers that can be killed, and a client."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from polyphony_runner.cluster.client import Cluster
from polyphony_runner.cluster.settings import ClusterSettings
from polyphony_runner.conductor.state import RunState
from polyphony_runner.home import Home
from polyphony_runner.runs.assemble import AssembledRun
from polyphony_runner.runs.folder import RunFolder, RunRecord, new_run_id
from polyphony_schemas.graph.model import CompiledMelody
from polyphony_schemas.journal import Event
from polyphony_schemas.values import JsonValue
from support.cluster_servers import wait_for

TESTS = Path(__file__).parents[1]


@dataclass
class World:
    """``lease`` in seconds; ``work`` is where nodes say what they did."""

    folder: Path
    database: str
    redis: str
    lease: float = 1.5
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.work = self.folder / "work"
        self.work.mkdir()
        self.settings = ClusterSettings(
            self.database, self.redis, str(self.folder / "artifacts"), self.lease, sweep=self.lease / 2
        )
        self.home = Home.at(self.folder / "home")
        self.cluster = Cluster(self.settings, self.home)

    @property
    def environment(self) -> dict[str, str]:
        """How a process of its own finds this cluster."""
        return {
            **os.environ,
            "POLYPHONY_CLUSTER_DATABASE": self.database,
            "POLYPHONY_CLUSTER_REDIS": self.redis,
            "POLYPHONY_CLUSTER_ARTIFACTS": self.settings.artifacts,
            "POLYPHONY_CLUSTER_LEASE": f"{round(self.lease * 1000)}ms",
            "PYTHONPATH": str(TESTS),
        }

    def worker(self, slots: int = 4) -> subprocess.Popen[bytes]:
        """Start a worker and wait until it works."""
        number = len(self.workers)
        with (self.folder / f"worker{number}.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *("setpriv", "--pdeathsig", "KILL"),  # gone with the tests, however those end
                    *(sys.executable, "-m", "support.cluster_worker"),
                    str(self.folder / f"worker{number}"),
                    str(slots),
                ],
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.workers.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", (self.folder / f"worker{number}.log").read_text()
        process.stdout.close()
        return process

    def submit(self, melody: CompiledMelody, inputs: Mapping[str, JsonValue] | None = None) -> str:
        """Begin a run of a compiled melody whose nodes are the test worker's functions."""
        folder = RunFolder(self.home.runs / new_run_id(time.time_ns() // 1_000_000))
        record = RunRecord(
            run=folder.run,
            name=melody.name,
            version=melody.version,
            folder=str(self.folder),
            work=str(self.work),
            local=True,
            tree=None,
            packages={},
            ceiling={},
        )
        folder.write(record, melody)
        self.cluster.submit(AssembledRun(folder, record, melody, dict(inputs or {})))
        return folder.run

    def finish(self, run: str, seconds: float = 60.0) -> tuple[RunState, list[Event]]:
        """Wait for the end of a run; its state and its events."""
        wait_for(
            lambda: self.cluster.status(run)[0] in ("succeeded", "failed", "cancelled"),
            f"the end of {run}",
            seconds,
        )
        events: list[Event] = []
        state = self.cluster.follow(run, lambda event, _state: events.append(event))
        return state, events

    def count(self, name: str = "executed") -> Counter[str]:
        """How often each node (``RUN NODE``) said so."""
        path = self.work / name
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(" ".join(line.split()[:2]) for line in lines)

    def owner(self, run: str) -> subprocess.Popen[bytes] | None:
        """The worker that holds a run at this moment."""
        rows = self.cluster.database.rows("SELECT owner FROM runs WHERE run = %s AND until > now()", (run,))
        name = str(rows[0][0]) if rows and rows[0][0] else ""
        return next((one for one in self.workers if f"-{one.pid}-" in name), None)

    def close(self) -> None:
        """End every worker that a test left."""
        for process in self.workers:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(30)
        self.cluster.close()
