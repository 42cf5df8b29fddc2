"""Dispatch through a cluster: nodes that do nothing are journaled (start and end), by 10 worker processes.

Real PostgreSQL (durable commits) and Redis on this machine; nodes run by ``NoopRuntime``, a fake at the Runtime seam.
Where others use the machine too, read ``cpu_ms_per_node``: user and system time of workers, PostgreSQL and Redis.

usage: dispatch.py [chain|fan] [RUNS] [NODES] [WORKERS] [SLOTS]   → one JSON object a round, until the fifth
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rounds import Sample, Subject

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from polyphony_schemas.graph.model import CompiledMelody  # noqa: E402  # after the path
from support.cluster_servers import Postgres, Redis  # noqa: E402  # after the path
from support.cluster_world import World  # noqa: E402  # after the path
from support.conductor_graphs import compiled, work  # noqa: E402  # after the path

SERVER = ("shared_buffers=128MB", "max_connections=100")
WORKERS, SLOTS = 10, 10
CHAINS, FANS = (100, 40), (10, 500)
_ROUNDS = 5
_TICKS = os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def dispatch() -> Iterator[Mapping[str, Subject]]:
    """Chains and fans of no-op nodes, by the same workers."""
    with _cluster(WORKERS, SLOTS) as stage:
        yield {
            f"{runs} {shape}s of {nodes} no-op nodes": partial(stage.play, _melody(shape, nodes), runs)
            for shape, (runs, nodes) in {"chain": CHAINS, "fan": FANS}.items()
        }


@dataclass(frozen=True, slots=True)
class _Stage:
    """A cluster whose workers wait for runs. ``servers``: PostgreSQL and Redis."""

    world: World
    workers: tuple[subprocess.Popen[bytes], ...]
    servers: tuple[int, ...]

    def play(self, melody: CompiledMelody, runs: int) -> Sample:
        """Begin the runs while the workers are stopped, let them go on, wait for the last end."""
        for process in self.workers:
            process.send_signal(signal.SIGSTOP)
        ids = [self.world.submit(melody) for _ in range(runs)]
        workers, *servers = self._spent()
        began = time.time()
        for process in self.workers:
            process.send_signal(signal.SIGCONT)
        while (ended := self._ended(ids)) is None:
            time.sleep(0.1)
        seconds = ended - began
        workers_now, *servers_now = self._spent()
        nodes = runs * len(melody.graph.nodes)
        spent = [workers_now - workers, *(b - a for a, b in zip(servers, servers_now, strict=True))]
        return {
            "wall_ms": seconds * 1000,
            "nodes_per_second": nodes / seconds,
            "cpu_ms_per_node": sum(spent) * 1000 / nodes,
            **{
                f"cpu_ms_per_node_{name}": value * 1000 / nodes
                for name, value in zip(("workers", "postgres", "redis"), spent, strict=True)
            },
        }

    def _ended(self, ids: list[str]) -> float | None:
        """When the last of these runs ended, in Unix seconds; None while one goes on."""
        rows = self.world.cluster.database.rows(
            "SELECT extract(epoch FROM max(changed_at))::float FROM runs WHERE run = ANY(%s) "
            "HAVING bool_and(status = 'succeeded')",
            (ids,),
        )
        return float(rows[0][0]) if rows else None

    def _spent(self) -> list[float]:
        """CPU seconds of the workers, PostgreSQL, Redis."""
        return [_cpu(process.pid for process in self.workers), *(_cpu([pid]) for pid in self.servers)]


@contextlib.contextmanager
def _cluster(workers: int, slots: int) -> Iterator[_Stage]:
    postgres, redis = Postgres(SERVER), Redis()
    started: list[subprocess.Popen[bytes]] = []
    with tempfile.TemporaryDirectory(prefix="polyphony-bench-") as text:
        world = World(Path(text), postgres.new_database(), redis.url, lease=30)
        try:
            started += (_worker(world, Path(text) / f"w{number}", slots) for number in range(workers))
            for process in started:
                assert process.stdout is not None
                assert process.stdout.readline() == b"ready\n"
            yield _Stage(world, tuple(started), (postgres.pid, redis.pid))
        finally:
            for process in started:
                process.send_signal(signal.SIGCONT)
                process.send_signal(signal.SIGTERM)
            for process in started:
                process.wait(60)
            world.close()
            postgres.close()
            redis.stop()


def _worker(world: World, home: Path, slots: int) -> subprocess.Popen[bytes]:
    environment = {**world.environment, "POLYPHONY_CLUSTER_LEASE": "30s"}
    # Gone with the bench, however it ends: a stopped worker would stay for ever.
    words = [
        *("setpriv", "--pdeathsig", "KILL"),
        *(sys.executable, str(ROOT / "bench" / "noop_worker.py"), str(home), str(slots)),
    ]
    return subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)


def _melody(shape: str, nodes: int) -> CompiledMelody:
    connections = [f"n{i} -> n{i + 1}" for i in range(nodes - 1)] if shape == "chain" else []
    return compiled(
        {f"n{i}": work() for i in range(nodes)}, connections, config={"concurrency": {"run": 100}}
    )


def _cpu(pids: Iterable[int]) -> float:
    """User and system seconds of processes and their children, those that ended too."""
    total = 0.0
    for pid in pids:
        *_, user, system, user_ended, system_ended = (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:15]
        )
        total += sum(map(int, (user, system, user_ended, system_ended))) / _TICKS
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        total += _cpu(map(int, children))
    return total


def main(
    shape: str = "chain", runs: int = 0, nodes: int = 0, workers: int = WORKERS, slots: int = SLOTS
) -> None:
    """Some rounds of one shape, a JSON object for each; the first warms up."""
    usual = CHAINS if shape == "chain" else FANS
    melody = _melody(shape, nodes or usual[1])
    with _cluster(workers, slots) as stage:
        for _ in range(_ROUNDS):
            sample = {name: round(value, 3) for name, value in stage.play(melody, runs or usual[0]).items()}
            print(json.dumps({**sample, "load": round(os.getloadavg()[0], 2)}), flush=True)


if __name__ == "__main__":
    shape, *numbers = sys.argv[1:] or ["chain"]
    main(shape, *map(int, numbers))
